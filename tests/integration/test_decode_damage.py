import contextlib
import os

import numpy as np
import pytest

from common.audio.decode import decode_audio
from common.audio.limits import SAMPLE_RATE, AudioLimits
from common.errors import EmptyAudioError, InputTooLargeError, UnreadableAudioError
from tests.support.audio_files import melody, pcm16, pyav_bytes, rms, soundfile_bytes, wav_bytes

LIMITS = AudioLimits()


def decoded(tmp_path, data, limits=LIMITS):
    path = tmp_path / "audio"
    path.write_bytes(data)
    return decode_audio(path, limits=limits)


def noise(seconds, rate=16_000):
    return np.random.default_rng(3).uniform(-0.5, 0.5, round(rate * seconds)).astype(np.float32)


@pytest.mark.parametrize("container", ["WAV", "FLAC", "AIFF", "W64", "CAF"])
def test_a_file_cut_in_half_gives_its_first_half(tmp_path, container):
    whole = decoded(tmp_path, soundfile_bytes(noise(20), 16_000, container=container))
    data = soundfile_bytes(noise(20), 16_000, container=container)
    half = decoded(tmp_path, data[: len(data) // 2 + 1])
    assert 9.0 < len(half) / SAMPLE_RATE <= 10.01
    assert np.array_equal(half[: 9 * SAMPLE_RATE], whole[: 9 * SAMPLE_RATE])


@pytest.mark.parametrize(
    ("container", "codec"),
    [("mp3", "libmp3lame"), ("ogg", "libopus"), ("adts", "aac"), ("webm", "libopus"), ("mpegts", "mp2")],
)
def test_a_stream_cut_in_half_gives_its_first_half(tmp_path, container, codec):
    data = pyav_bytes(noise(20, 48_000)[:, None], 48_000, container=container, codec=codec)
    assert len(decoded(tmp_path, data[: len(data) // 2])) / SAMPLE_RATE == pytest.approx(10.0, abs=1.1)


@pytest.mark.parametrize(("container", "codec"), [("mp3", "libmp3lame"), ("flac", "flac"), ("adts", "aac")])
def test_damage_in_the_middle_costs_only_the_damaged_part(tmp_path, container, codec):
    data = pyav_bytes(noise(20, 16_000)[:, None], 16_000, container=container, codec=codec)
    middle = len(data) // 2
    damaged = decoded(tmp_path, data[:middle] + bytes(2000) + data[middle + 2000 :])
    assert len(damaged) / SAMPLE_RATE == pytest.approx(20.0, abs=1.5)


def test_an_mp4_cut_before_its_index_is_unreadable(tmp_path):
    data = pyav_bytes(noise(3, 44_100)[:, None], 44_100, container="ipod", codec="aac")
    with pytest.raises(UnreadableAudioError, match="cut off before its index"):
        decoded(tmp_path, data[: len(data) * 3 // 4])


@pytest.mark.parametrize("claimed", [0, 1, 0x7FFFFFFF, 0xFFFFFFFE, 0xFFFFFFFF])
def test_the_length_in_a_wav_header_is_not_believed(tmp_path, claimed):
    if claimed == 1:
        claimed = 2 * len(pcm16(noise(5)))
    data = wav_bytes(pcm16(noise(5)), data_bytes=claimed)
    assert len(decoded(tmp_path, data)) / SAMPLE_RATE == pytest.approx(5.0, abs=0.001)


def test_chained_ogg_is_read_to_its_last_link(tmp_path):
    links = [pyav_bytes(noise(s, 48_000)[:, None], 48_000, container="ogg", codec="libopus") for s in (3, 2)]
    assert len(decoded(tmp_path, b"".join(links))) / SAMPLE_RATE == pytest.approx(5.0, abs=0.1)


def test_chained_ogg_whose_channels_change_is_refused_rather_than_half_read(tmp_path):
    mono = pyav_bytes(melody(48_000), 48_000, container="ogg", codec="libopus")
    stereo = pyav_bytes(melody(48_000, channels=2), 48_000, container="ogg", codec="libopus", layout="stereo")
    with pytest.raises(UnreadableAudioError, match="changes its format midway"):
        decoded(tmp_path, mono + stereo)


def test_the_sample_rate_may_change_within_a_stream(tmp_path):
    first = pyav_bytes(noise(3, 48_000)[:, None], 48_000, container="adts", codec="aac")
    second = pyav_bytes(noise(2, 24_000)[:, None], 24_000, container="adts", codec="aac")
    assert len(decoded(tmp_path, first + second)) / SAMPLE_RATE == pytest.approx(5.0, abs=0.2)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 3.4e38])
@pytest.mark.parametrize("place", [0, 40_000, -1])
@pytest.mark.parametrize(("rate", "channels"), [(16_000, 1), (48_000, 2)])
def test_samples_that_are_not_finite_are_refused(tmp_path, bad, place, rate, channels):
    samples = melody(rate, channels=channels)
    samples[place] = bad
    if np.isfinite(bad) and (rate, channels) == (16_000, 1):
        assert np.isfinite(decoded(tmp_path, soundfile_bytes(samples, rate, subtype="FLOAT"))).all()
        return
    with pytest.raises(UnreadableAudioError, match="NaN or infinite"):
        decoded(tmp_path, soundfile_bytes(samples, rate, subtype="FLOAT"))


@pytest.mark.parametrize(("rate", "channels"), [(16_000, 1), (48_000, 2), (8_000, 6)])
def test_silence_decodes_to_silence(tmp_path, rate, channels):
    samples = decoded(tmp_path, soundfile_bytes(np.zeros((rate * 2, channels)), rate, container="FLAC"))
    assert samples.shape == (2 * SAMPLE_RATE,)
    assert not samples.any()


def test_zero_bytes_and_zero_samples_are_empty(tmp_path):
    with pytest.raises(EmptyAudioError, match="0 bytes"):
        decoded(tmp_path, b"")
    for container in ("WAV", "AIFF", "W64", "RF64", "CAF"):
        with pytest.raises(EmptyAudioError, match="no samples"):
            decoded(tmp_path, soundfile_bytes(np.zeros(0), 16_000, container=container))


def test_one_sample_decodes_unless_resampling_leaves_nothing(tmp_path):
    assert decoded(tmp_path, soundfile_bytes(np.array([0.5]), 16_000)) == pytest.approx([0.5], abs=1e-4)
    assert decoded(tmp_path, soundfile_bytes(np.array([0.5]), 8_000)).shape == (2,)
    with pytest.raises(EmptyAudioError):
        decoded(tmp_path, soundfile_bytes(np.array([0.5]), 48_000))


@pytest.mark.parametrize("container", ["WAV", "FLAC", "mp3", "ogg"])
def test_seconds_are_counted_while_decoding(tmp_path, container):
    limits = AudioLimits(max_duration_s=2.0)
    if container.isupper():
        data = soundfile_bytes(np.zeros(16_000 * 9), 16_000, container=container)
    else:
        codec = {"mp3": "libmp3lame", "ogg": "libopus"}[container]
        data = pyav_bytes(melody(48_000, seconds=9), 48_000, container=container, codec=codec)
    with pytest.raises(InputTooLargeError, match="longer than the limit of 2 s"):
        decoded(tmp_path, data, limits)


def test_a_header_that_understates_the_length_does_not_get_past_the_limit(tmp_path):
    data = wav_bytes(bytes(16_000 * 2 * 9), data_bytes=0)
    with pytest.raises(InputTooLargeError):
        decoded(tmp_path, data, AudioLimits(max_duration_s=2.0))


@pytest.mark.parametrize(
    ("rate", "channels", "error"),
    [
        (192_001, 1, InputTooLargeError),
        (0xFFFFFFFF, 1, UnreadableAudioError),
        (3_999, 1, UnreadableAudioError),
        (1, 1, UnreadableAudioError),
        (0, 1, UnreadableAudioError),
        (16_000, 9, InputTooLargeError),
        (16_000, 0, UnreadableAudioError),
        (16_000, 65_535, UnreadableAudioError),
    ],
)
def test_rates_and_channels_out_of_bounds(tmp_path, rate, channels, error):
    with pytest.raises(error):
        decoded(tmp_path, wav_bytes(bytes(72_000), rate=rate, channels=channels))


def test_channels_are_checked_in_every_container(tmp_path):
    data = pyav_bytes(melody(48_000, channels=6), 48_000, container="ipod", codec="aac", layout="5.1")
    with pytest.raises(InputTooLargeError, match="6 channels, the limit is 2"):
        decoded(tmp_path, data, AudioLimits(max_channels=2))


@pytest.mark.parametrize("size", [1, 3, 44, 5000, 200_000])
def test_noise_bytes_are_unreadable_and_not_named_in_the_message(tmp_path, size):
    with pytest.raises(UnreadableAudioError) as caught:
        decoded(tmp_path, b"\x00" * size)
    assert str(tmp_path) not in caught.value.message
    assert caught.value.param == "audio"


def test_a_web_page_is_unreadable(tmp_path):
    with pytest.raises(UnreadableAudioError):
        decoded(tmp_path, b"<!DOCTYPE html><html><body>Please log in</body></html>" * 100)


def test_metadata_in_a_foreign_encoding_does_no_harm(tmp_path):
    data = pyav_bytes(melody(44_100), 44_100, container="mp3", codec="libmp3lame")
    title = b"TIT2\0\0\0\x05\0\0\x00\xff\xfe\x80\x81"
    tagged = b"ID3\x03\0\0\0\0\0" + bytes([len(title)]) + title + data
    assert len(decoded(tmp_path, tagged)) / SAMPLE_RATE == pytest.approx(3.0, abs=0.1)


def test_descriptors_are_closed_also_after_failures(tmp_path):
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - counts, does not name
    for data in (b"", b"nothing", soundfile_bytes(melody(8_000), 8_000), wav_bytes(b"", rate=1)):
        for _ in range(5):
            with contextlib.suppress(EmptyAudioError, UnreadableAudioError):
                assert rms(decoded(tmp_path, data)) > 0.1
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208 - counts, does not name
