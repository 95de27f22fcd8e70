import numpy as np
import pytest
import soundfile as sf

from common.audio.limits import AudioLimits
from common.errors import JobCancelledError, UnreadableAudioError
from orchestrator.server import peaks
from orchestrator.server.peaks import peaks_of

LIMITS = AudioLimits()


def written(tmp_path, samples, *, rate_hz=16_000, suffix=".wav"):
    path = tmp_path / f"audio{suffix}"
    sf.write(path, samples, rate_hz)
    return path


@pytest.mark.parametrize("suffix", [".wav", ".flac"])
def test_each_stretch_has_its_loudest_sample(tmp_path, suffix):
    samples = np.zeros(16_000 * 2, np.float32)
    samples[100], samples[16_000], samples[31_999] = 0.5, -1.0, 0.25
    found = peaks_of(written(tmp_path, samples, suffix=suffix), limits=LIMITS)
    assert (found.duration, found.per_second, len(found.peaks)) == (2.0, 50, 100)
    assert {at: peak for at, peak in enumerate(found.peaks) if peak} == {0: 128, 50: 255, 99: 64}


def test_of_channels_the_louder_counts_at_any_rate(tmp_path):
    samples = np.zeros((44_100, 2), np.float32)
    samples[22_050, 1] = 0.2
    found = peaks_of(written(tmp_path, samples, rate_hz=44_100), limits=LIMITS)
    assert {at: peak for at, peak in enumerate(found.peaks) if peak} == {25: 51}


def test_a_long_recording_has_fewer_for_each_second(tmp_path, monkeypatch):
    monkeypatch.setattr(peaks, "MOST_PEAKS", 40)
    samples = np.zeros(8_000 * 7 + 1, np.float32)
    samples[-1] = 1.0
    found = peaks_of(written(tmp_path, samples, rate_hz=8_000), limits=LIMITS)
    assert (found.per_second, len(found.peaks)) == (5, 36)
    assert (max(found.peaks[:-1]), found.peaks[-1]) == (0, 255)


def test_it_ends_when_told_to(tmp_path):
    def check():
        raise JobCancelledError("nobody needs them")

    with pytest.raises(JobCancelledError):
        peaks_of(written(tmp_path, np.zeros(100, np.float32)), limits=LIMITS, check=check)


def test_what_is_not_audio_is_told_so(tmp_path):
    path = tmp_path / "audio"
    path.write_text("no sound in here")
    with pytest.raises(UnreadableAudioError):
        peaks_of(path, limits=LIMITS)
