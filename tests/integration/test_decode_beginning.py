"""The beginning of a file: exactly so long, and nothing after it is looked at."""

import numpy as np
import pytest

from common.audio.decode import decode_audio
from common.audio.limits import SAMPLE_RATE, AudioLimits
from common.errors import EmptyAudioError, InputTooLargeError
from tests.support.audio_files import melody, pyav_bytes, soundfile_bytes

FILES = {
    "wav": soundfile_bytes(melody(16_000, seconds=30), 16_000),
    "telephone wav": soundfile_bytes(melody(8_000, seconds=30), 8_000),
    "opus": pyav_bytes(melody(48_000, seconds=30), 48_000, container="ogg", codec="libopus"),
    "mp3": pyav_bytes(melody(44_100, seconds=30), 44_100, container="mp3", codec="libmp3lame"),
}


def decoded(tmp_path, data, **options):
    path = tmp_path / "audio"
    path.write_bytes(data)
    return decode_audio(path, **{"limits": AudioLimits(), **options})


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize("first_s", [0.5, 7.0])
def test_the_beginning_is_that_of_the_whole(tmp_path, kind, first_s):
    whole = decoded(tmp_path, FILES[kind])
    beginning = decoded(tmp_path, FILES[kind], first_s=first_s)
    assert len(beginning) == pytest.approx(first_s * SAMPLE_RATE, abs=1)
    assert beginning.base is None
    inside = len(beginning) - 200  # a resampler that is told that the audio ends here rings a little
    assert np.allclose(beginning[:inside], whole[:inside], atol=1e-3)


@pytest.mark.parametrize("kind", FILES)
def test_what_comes_after_counts_for_no_limit(tmp_path, kind):
    limits = AudioLimits(max_duration_s=20)
    with pytest.raises(InputTooLargeError):
        decoded(tmp_path, FILES[kind], limits=limits)
    assert len(decoded(tmp_path, FILES[kind], limits=limits, first_s=20.0)) == pytest.approx(20 * SAMPLE_RATE, abs=1)
    with pytest.raises(InputTooLargeError):
        decoded(tmp_path, FILES[kind], limits=limits, first_s=21.0)


def test_damage_after_the_beginning_is_not_met(tmp_path):
    samples = melody(16_000, seconds=3)
    samples[32_000:] = np.nan
    data = soundfile_bytes(samples, 16_000, subtype="FLOAT")
    assert np.array_equal(decoded(tmp_path, data, first_s=2.0), samples[:32_000, 0])


def test_channels_that_cancel_each_other_are_mended_in_the_beginning_too(tmp_path):
    samples = melody(16_000, seconds=20, channels=2)
    samples[:, 1] *= -1
    data = soundfile_bytes(samples, 16_000, subtype="FLOAT")
    assert np.array_equal(decoded(tmp_path, data, first_s=5.0), samples[:80_000, 0])


def test_a_shorter_file_is_what_it_is(tmp_path):
    data = soundfile_bytes(melody(16_000, seconds=3), 16_000)
    assert np.array_equal(decoded(tmp_path, data, first_s=60.0), decoded(tmp_path, data))
    with pytest.raises(EmptyAudioError):
        decoded(tmp_path, soundfile_bytes(np.zeros((0, 1), np.float32), 16_000), first_s=60.0)
