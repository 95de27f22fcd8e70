import numpy as np
import pytest

from common.audio import encode
from common.audio.decode import decode_audio
from common.audio.encode import FRAME_SAMPLES, encode_opus
from common.audio.limits import SAMPLE_RATE, AudioLimits
from tests.support.pyannote_sample import sample_audio


def arrived(samples, tmp_path):
    path = tmp_path / "a.opus"
    path.write_bytes(encode_opus(samples, bit_rate=24_000))
    return decode_audio(path, limits=AudioLimits())


def noise_by_frame(samples, heard):
    """Energy of what differs in each frame; a stretch begins on a frame."""
    frames = len(samples) // FRAME_SAMPLES
    differing = (heard - samples)[: frames * FRAME_SAMPLES].reshape(frames, -1)
    return np.square(differing).sum(axis=1)


@pytest.mark.parametrize("stretch_frames", [20, 35, 50])
def test_where_stretches_meet_there_is_no_more_noise_than_elsewhere(monkeypatch, tmp_path, stretch_frames):
    monkeypatch.setattr(encode, "STRETCH_FRAMES", stretch_frames)
    speech = sample_audio()[7 * SAMPLE_RATE : 27 * SAMPLE_RATE + 77]
    heard = arrived(speech, tmp_path)
    assert len(heard) == len(speech)
    noise = noise_by_frame(speech, heard)
    meet = np.arange(stretch_frames, len(noise), stretch_frames)
    signal = noise_by_frame(speech, np.zeros_like(speech))
    assert noise[meet].sum() / signal[meet].sum() < 2 * noise.sum() / signal.sum()
    assert noise.sum() < 0.1 * signal.sum()


@pytest.mark.parametrize("extra", [-1, 0, 1])
def test_the_last_stretch_may_be_of_any_length(monkeypatch, tmp_path, extra):
    monkeypatch.setattr(encode, "STRETCH_FRAMES", 25)
    speech = sample_audio()[7 * SAMPLE_RATE :][: 3 * 25 * FRAME_SAMPLES + extra]
    heard = arrived(speech, tmp_path)
    assert len(heard) == len(speech)
    assert noise_by_frame(speech, heard).sum() < 0.1 * np.square(speech).sum()
