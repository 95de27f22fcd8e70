import base64
import contextlib
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from common.audio.decode import decode_audio
from common.audio.downmix import Downmix
from common.audio.inline import inline_bytes
from common.audio.limits import SAMPLE_RATE, AudioLimits
from common.errors import InvalidInputError
from tests.support.audio_files import melody, pyav_bytes, soundfile_bytes

LIMITS = AudioLimits(max_duration_s=600)
SEEDS = [
    soundfile_bytes(melody(8_000, seconds=0.5), 8_000),
    soundfile_bytes(melody(8_000, seconds=0.5), 8_000, container="FLAC"),
    soundfile_bytes(melody(8_000, seconds=0.5), 8_000, container="CAF"),
    pyav_bytes(melody(48_000, seconds=0.5), 48_000, container="ogg", codec="libopus"),
    pyav_bytes(melody(48_000, seconds=0.5), 48_000, container="ipod", codec="aac"),
    pyav_bytes(melody(48_000, seconds=0.5), 48_000, container="webm", codec="libopus"),
    pyav_bytes(melody(44_100, seconds=0.5), 44_100, container="mp3", codec="libmp3lame"),
    pyav_bytes(melody(48_000, seconds=0.5), 48_000, container="mpegts", codec="mp2"),
]


def decoded(data):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "audio"
        path.write_bytes(data)
        return decode_audio(path, limits=LIMITS)


def check_decodes_or_refuses(data):
    """Whatever comes out is finite and bounded; any other error than Parley's fails the test."""
    with contextlib.suppress(InvalidInputError):
        samples = decoded(data)
        assert 0 < len(samples) <= 601 * SAMPLE_RATE
        assert samples.dtype == np.float32
        assert np.isfinite(samples).all()


@settings(deadline=None, max_examples=150)
@given(
    seed=st.sampled_from(SEEDS),
    changes=st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), min_size=1, max_size=12),
)
def test_no_damage_to_a_header_crashes_or_swells(seed, changes):
    data = bytearray(seed)
    for place, value in changes:
        data[place % len(data)] = value
    check_decodes_or_refuses(bytes(data))


@settings(deadline=None, max_examples=100)
@given(data=st.binary(max_size=2000))
@example(data=b"RIFF\xff\xff\xff\xffWAVE")
@example(data=b"fLaC" + bytes(38))
@example(data=b"OggS" + bytes(60))
def test_no_bytes_crash(data):
    check_decodes_or_refuses(data)


@settings(deadline=None, max_examples=60)
@given(seed=st.sampled_from(SEEDS), share=st.floats(0, 1))
def test_no_cut_crashes(seed, share):
    check_decodes_or_refuses(seed[: int(len(seed) * share)])


@settings(deadline=None, max_examples=60)
@given(
    frames=st.integers(1, 200_000),
    rate=st.sampled_from([4_000, 8_000, 11_025, 16_000, 22_050, 44_100, 48_000, 96_000, 192_000]),
    channels=st.integers(1, 8),
)
def test_the_duration_is_that_of_the_samples(frames, rate, channels):
    data = soundfile_bytes(np.full((frames, channels), 0.25, np.float32), rate)
    if frames * SAMPLE_RATE / rate < 1:
        return
    assert len(decoded(data)) == pytest.approx(frames * SAMPLE_RATE / rate, abs=1)


@given(
    blocks=st.lists(st.integers(1, 50), min_size=1, max_size=5),
    silent=st.integers(0, 3),
    seed=st.integers(0, 2**31),
)
def test_a_silent_channel_never_changes_the_mix(blocks, silent, seed):
    heard = np.random.default_rng(seed).uniform(0.1, 1, (sum(blocks), 3)).astype(np.float32)
    with_silence = np.insert(heard, silent, 0, axis=1)

    def mixed(samples):
        downmix = Downmix(max_channels=8)
        parts = [downmix.mix(part) for part in np.split(samples, np.cumsum(blocks)[:-1])]
        return np.concatenate(parts) * downmix.gain

    assert np.allclose(mixed(heard), mixed(with_silence), atol=1e-5)
    assert np.allclose(mixed(heard), heard.mean(axis=1), atol=1e-5)


@given(data=st.binary(max_size=300), url_safe=st.booleans(), prefix=st.sampled_from(["", "data:audio/wav;base64,"]))
def test_base64_gives_back_the_bytes(data, url_safe, prefix):
    text = (base64.urlsafe_b64encode if url_safe else base64.b64encode)(data).decode()
    assert inline_bytes(prefix + text, limits=LIMITS) == data


@given(text=st.text(max_size=60))
def test_inline_text_never_gives_more_bytes_than_it_has_characters(text):
    with contextlib.suppress(InvalidInputError):
        assert len(inline_bytes(text, limits=LIMITS)) <= len(text)
