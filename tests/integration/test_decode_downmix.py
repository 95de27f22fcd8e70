import numpy as np
import pytest

from common.audio.decode import decode_audio
from common.audio.limits import SAMPLE_RATE, AudioLimits
from tests.support.audio_files import MELODY_HZ, heard_hz, melody, pyav_bytes, rms, soundfile_bytes

LIMITS = AudioLimits()
FULL = 0.3 / np.sqrt(2)


def decoded(tmp_path, data):
    path = tmp_path / "audio"
    path.write_bytes(data)
    return decode_audio(path, limits=LIMITS)


def only_in(channel, channels, rate=16_000):
    samples = np.zeros((rate * 3, channels), np.float32)
    samples[:, channel] = melody(rate)[:, 0]
    return samples


@pytest.mark.parametrize(("channels", "channel"), [(2, 0), (2, 1), (6, 2), (6, 3), (8, 2), (8, 7)])
@pytest.mark.parametrize("container", ["WAV", "FLAC"])
def test_speech_in_one_channel_keeps_its_level(tmp_path, channels, channel, container):
    samples = decoded(tmp_path, soundfile_bytes(only_in(channel, channels), 16_000, container=container))
    assert np.abs(samples - melody(16_000)[:, 0]).max() < 1e-3


@pytest.mark.parametrize(
    ("container", "codec", "channel", "layout"),
    [
        ("ipod", "aac", 1, "stereo"),
        ("webm", "libopus", 1, "stereo"),
        ("matroska", "ac3", 2, "5.1"),
        ("webm", "libopus", 2, "7.1"),
    ],
)
def test_speech_in_one_channel_keeps_its_level_through_ffmpeg(tmp_path, container, codec, channel, layout):
    channels = {"stereo": 2, "5.1": 6, "7.1": 8}[layout]
    written = only_in(channel, channels, 48_000)
    samples = decoded(tmp_path, pyav_bytes(written, 48_000, container=container, codec=codec, layout=layout))
    assert heard_hz(samples) == pytest.approx(MELODY_HZ, abs=6)
    assert rms(samples) == pytest.approx(FULL, rel=0.1)


def test_two_speakers_on_two_channels_are_averaged(tmp_path):
    left, right = np.random.default_rng(1).uniform(-0.5, 0.5, (2, 32_000)).astype(np.float32)
    samples = decoded(tmp_path, soundfile_bytes(np.stack([left, right], 1), 16_000, subtype="FLOAT"))
    assert np.allclose(samples, (left + right) / 2, atol=1e-6)


@pytest.mark.parametrize("channels", [2, 4])
@pytest.mark.parametrize("rate", [16_000, 44_100])
def test_reversed_polarity_does_not_extinguish_speech(tmp_path, channels, rate):
    written = melody(rate, channels=channels)
    written[:, 1::2] *= -0.95
    samples = decoded(tmp_path, soundfile_bytes(written, rate))
    assert len(samples) == pytest.approx(3 * SAMPLE_RATE, abs=2)
    assert heard_hz(samples) == pytest.approx(MELODY_HZ, abs=6)
    assert rms(samples) == pytest.approx(FULL, rel=0.01)


def test_the_level_does_not_depend_on_when_a_channel_speaks(tmp_path):
    written = melody(16_000, seconds=30, channels=2)
    written[: 16_000 * 15, 0] = 0
    written[16_000 * 15 :, 1] = 0
    samples = decoded(tmp_path, soundfile_bytes(written, 16_000))
    assert rms(samples[: 16_000 * 15]) == pytest.approx(FULL / 2, rel=0.01)
    assert rms(samples[16_000 * 15 :]) == pytest.approx(FULL / 2, rel=0.01)
