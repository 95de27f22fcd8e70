import numpy as np
import pytest

from common.audio.decode import decode_audio
from common.audio.limits import SAMPLE_RATE, AudioLimits
from tests.support.audio_files import MELODY_HZ, heard_hz, melody, pyav_bytes, rms, soundfile_bytes, video_bytes

LIMITS = AudioLimits()
LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1"}


def decoded(tmp_path, data, name="audio"):
    path = tmp_path / name
    path.write_bytes(data)
    return decode_audio(path, limits=LIMITS)


def check_melody(samples, *, slack_s=0.0):
    """Three seconds, the three tones in order, at the level they were written with."""
    assert samples.dtype == np.float32
    assert samples.ndim == 1
    assert samples.flags.c_contiguous
    assert len(samples) / SAMPLE_RATE == pytest.approx(3.0, abs=slack_s + 2 / SAMPLE_RATE)
    assert heard_hz(samples) == pytest.approx(MELODY_HZ, abs=6)
    assert rms(samples) == pytest.approx(0.3 / np.sqrt(2), rel=0.08)


@pytest.mark.parametrize(
    ("container", "subtype"),
    [
        ("WAV", "PCM_U8"),
        ("WAV", "PCM_16"),
        ("WAV", "PCM_24"),
        ("WAV", "PCM_32"),
        ("WAV", "FLOAT"),
        ("WAV", "DOUBLE"),
        ("WAV", "ULAW"),
        ("WAV", "ALAW"),
        ("WAVEX", "PCM_16"),
        ("RF64", "PCM_16"),
        ("W64", "PCM_16"),
        ("CAF", "PCM_16"),
        ("CAF", "ALAC_16"),
        ("AIFF", "PCM_16"),
        ("AU", "ULAW"),
        ("FLAC", "PCM_16"),
        ("FLAC", "PCM_24"),
    ],
)
def test_formats_that_libsndfile_writes(tmp_path, container, subtype):
    check_melody(decoded(tmp_path, soundfile_bytes(melody(16_000), 16_000, container=container, subtype=subtype)))


@pytest.mark.parametrize("subtype", ["IMA_ADPCM", "MS_ADPCM"])
def test_adpcm_comes_in_whole_blocks(tmp_path, subtype):
    check_melody(decoded(tmp_path, soundfile_bytes(melody(16_000), 16_000, subtype=subtype)), slack_s=0.1)


@pytest.mark.parametrize(
    ("container", "codec", "rate"),
    [
        ("mp3", "libmp3lame", 44_100),
        ("mp3", "libmp3lame", 11_025),
        ("ogg", "libopus", 48_000),
        ("webm", "libopus", 48_000),
        ("ipod", "aac", 44_100),
        ("mp4", "aac", 48_000),
        ("mov", "alac", 44_100),
        ("matroska", "aac", 44_100),
        ("matroska", "ac3", 48_000),
        ("matroska", "pcm_f64le", 8_000),
        ("matroska", "pcm_u8", 11_025),
        ("matroska", "pcm_s16le", 16_000),
        ("caf", "pcm_s16le", 44_100),
        ("w64", "pcm_s16le", 16_000),
        ("adts", "aac", 48_000),
        ("mpegts", "mp2", 48_000),
        ("mpegts", "aac", 44_100),
        ("avi", "mp3", 44_100),
        ("flv", "aac", 44_100),
        ("wav", "adpcm_ima_wav", 16_000),
    ],
)
def test_formats_that_ffmpeg_writes(tmp_path, container, codec, rate):
    data = pyav_bytes(melody(rate), rate, container=container, codec=codec)
    check_melody(decoded(tmp_path, data), slack_s=0.15)  # encoders pad the first and last codec frame


@pytest.mark.parametrize("rate", [8_000, 11_025, 16_000, 22_050, 32_000, 44_100, 48_000, 88_200, 96_000, 192_000])
@pytest.mark.parametrize("container", ["WAV", "FLAC"])
def test_every_sample_rate(tmp_path, rate, container):
    check_melody(decoded(tmp_path, soundfile_bytes(melody(rate), rate, container=container)))


@pytest.mark.parametrize("channels", range(1, 9))
@pytest.mark.parametrize("container", ["WAV", "FLAC"])
def test_one_to_eight_channels(tmp_path, channels, container):
    check_melody(decoded(tmp_path, soundfile_bytes(melody(16_000, channels=channels), 16_000, container=container)))


@pytest.mark.parametrize("channels", [2, 6, 8])
@pytest.mark.parametrize(("container", "codec"), [("matroska", "pcm_s16le"), ("ipod", "aac"), ("webm", "libopus")])
def test_layouts_in_lossy_and_interleaved_containers(tmp_path, channels, container, codec):
    data = pyav_bytes(
        melody(48_000, channels=channels), 48_000, container=container, codec=codec, layout=LAYOUTS[channels]
    )
    samples = decoded(tmp_path, data)
    assert heard_hz(samples) == pytest.approx(MELODY_HZ, abs=6)
    assert len(samples) / SAMPLE_RATE == pytest.approx(3.0, abs=0.1)
    assert rms(samples) > 0.15  # encoders filter the low-frequency channel, so the mean is a little lower


@pytest.mark.parametrize("container", ["mp4", "matroska", "mov"])
def test_the_audio_track_of_a_video(tmp_path, container):
    samples = decoded(tmp_path, video_bytes(container=container, samples=melody(48_000)))
    check_melody(samples, slack_s=0.1)


def test_live_webm_without_duration_and_index(tmp_path):
    data = pyav_bytes(melody(48_000), 48_000, container="webm", codec="libopus", options={"live": "1"})
    check_melody(decoded(tmp_path, data), slack_s=0.05)


def test_fragmented_mp4(tmp_path):
    flags = {"movflags": "frag_keyframe+empty_moov+default_base_moof"}
    data = pyav_bytes(melody(44_100), 44_100, container="mp4", codec="aac", options=flags)
    check_melody(decoded(tmp_path, data), slack_s=0.1)


@pytest.mark.parametrize("name", ["speech.wav", "speech.raw", "speech.m3u8", "speech", "sp eech.ünïcode.mp3"])
def test_the_name_of_the_file_means_nothing(tmp_path, name):
    data = pyav_bytes(melody(44_100), 44_100, container="mp3", codec="libmp3lame")
    check_melody(decoded(tmp_path, data, name), slack_s=0.1)
    check_melody(decoded(tmp_path, soundfile_bytes(melody(16_000), 16_000), name))


def test_samples_are_those_of_the_file_where_nothing_is_to_be_resampled(tmp_path):
    written = np.random.default_rng(7).uniform(-1, 1, 3 * 60 * 16_000 + 1).astype(np.float32)
    assert np.array_equal(decoded(tmp_path, soundfile_bytes(written, 16_000, subtype="FLOAT")), written)


def test_resampling_in_blocks_leaves_no_seam(tmp_path):
    t = np.arange(48_000 * 6) / 48_000
    written = 0.5 * np.sin(2 * np.pi * 440 * t)
    samples = decoded(tmp_path, soundfile_bytes(written, 48_000, subtype="FLOAT"))
    truth = 0.5 * np.sin(2 * np.pi * 440 * np.arange(SAMPLE_RATE * 6) / SAMPLE_RATE)
    assert np.abs(samples - truth)[200:-200].max() < 1e-4
