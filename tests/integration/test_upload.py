import base64
import io
import logging
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import soundfile as sf

from common.audio.decode import decode_audio
from common.audio.encode import MIN_BIT_RATE, encode_opus
from common.audio.limits import SAMPLE_RATE, AudioLimits
from common.errors import AudioUrlError, EmptyAudioError, InputTooLargeError, InvalidInputError, UnreadableAudioError
from orchestrator import upload
from orchestrator.upload import request_audio

LIMITS = AudioLimits()


def tone(seconds, hz=440.0):
    times = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    return (0.5 * np.sin(2 * np.pi * hz * times)).astype(np.float32)


def noise(seconds):
    return np.random.default_rng(0).normal(0, 0.1, round(seconds * SAMPLE_RATE)).astype(np.float32)


def wav(samples):
    buffer = io.BytesIO()
    sf.write(buffer, samples, SAMPLE_RATE, format="WAV", subtype="PCM_16")
    return buffer.getvalue()


def loudest_hz(samples):
    spectrum = np.abs(np.fft.rfft(samples))
    return np.argmax(spectrum) * SAMPLE_RATE / len(samples)


@pytest.mark.parametrize("seconds", [0.05, 1.0, 3.21])
def test_opus_keeps_length_and_pitch(tmp_path, seconds):
    path = tmp_path / "tone.opus"
    path.write_bytes(encode_opus(tone(seconds)))
    samples = decode_audio(path, limits=LIMITS)
    assert len(samples) / SAMPLE_RATE == pytest.approx(seconds, abs=0.03)
    assert loudest_hz(samples) == pytest.approx(440, abs=25)


def test_opus_is_as_small_as_asked():
    assert len(encode_opus(noise(30), bit_rate=16_000)) * 8 / 30 < 16_000 * 1.15


@pytest.mark.parametrize("audio", ["https://example.org/a.mp3", "http://example.org/a", "data:audio/wav;base64,AAAA"])
def test_urls_are_passed_on_untouched(audio):
    assert request_audio(audio, limits=LIMITS) == audio


def test_a_small_file_is_embedded_as_it_is(tmp_path):
    path = tmp_path / "a.wav"
    path.write_bytes(wav(tone(1)))
    for audio in (path, str(path), path.read_bytes()):
        assert base64.b64decode(request_audio(audio, limits=LIMITS)) == path.read_bytes()


def test_a_big_file_is_shrunk_to_fit(tmp_path):
    content = wav(tone(300))
    field = request_audio(content, limits=LIMITS)
    assert len(content) * 4 / 3 > upload.RUN_BODY_BYTES > len(field)
    path = tmp_path / "shrunk"
    path.write_bytes(base64.b64decode(field))
    samples = decode_audio(path, limits=LIMITS)
    assert len(samples) / SAMPLE_RATE == pytest.approx(300, abs=0.1)
    assert loudest_hz(samples[:SAMPLE_RATE]) == pytest.approx(440, abs=2)


def test_what_does_not_fit_even_so_is_refused():
    with pytest.raises(InputTooLargeError, match="http\\(s\\) URL"):
        request_audio(wav(tone(10)), limits=LIMITS, body_limit_bytes=upload.BODY_RESERVE_BYTES + 1000)


@pytest.mark.parametrize(
    ("room_bytes", "shown"), [(3_000, "2 seconds"), (150_000, "100 seconds"), (360_000, "4 minutes")]
)
def test_how_much_would_fit_is_told_in_a_fit_unit(room_bytes, shown):
    limit_bytes = upload.BODY_RESERVE_BYTES + room_bytes * 4 // 3
    with pytest.raises(InputTooLargeError) as caught:
        request_audio(wav(noise(600)), limits=LIMITS, body_limit_bytes=limit_bytes)
    assert f"too long for one request, which has room for {shown} of it;" in caught.value.message
    assert caught.value.message.endswith(f"send parts of at most {shown}")
    assert "S3_BUCKET" in caught.value.message
    assert "http(s) URL" in caught.value.message


def test_of_a_recording_much_too_long_the_end_is_not_even_decoded(monkeypatch):
    decoded = []
    decode = upload.decode_audio
    monkeypatch.setattr(upload, "decode_audio", lambda *a, **k: decoded.append(decode(*a, **k)) or decoded[-1])
    with pytest.raises(InputTooLargeError):
        request_audio(wav(tone(60)), limits=LIMITS, body_limit_bytes=upload.BODY_RESERVE_BYTES + 20_000)
    fitting_s = 15_000 * 8 / MIN_BIT_RATE
    assert len(decoded[0]) / SAMPLE_RATE == pytest.approx(2 * fitting_s + 1, abs=0.01)


def test_many_pauses_let_more_through():
    spoken = np.concatenate([noise(2), np.zeros(13 * SAMPLE_RATE, np.float32)])
    field = request_audio(wav(spoken), limits=LIMITS, body_limit_bytes=upload.BODY_RESERVE_BYTES + 16_000)
    assert 12_000 * 8 / MIN_BIT_RATE < 15  # what surely fits
    assert len(field) <= 16_000


def test_what_comes_after_the_seconds_of_use_takes_no_room(tmp_path):
    room_bytes = 20_000  # enough for 5 s, not for 20
    field = request_audio(
        wav(tone(20)), limits=LIMITS, body_limit_bytes=upload.BODY_RESERVE_BYTES + room_bytes, first_s=5.0
    )
    path = tmp_path / "voice"
    path.write_bytes(base64.b64decode(field))
    assert len(decode_audio(path, limits=LIMITS)) / SAMPLE_RATE == pytest.approx(5, abs=0.1)


def test_a_higher_body_limit_lets_more_through_untouched():
    content = wav(tone(300))
    field = request_audio(content, limits=LIMITS, body_limit_bytes=2 * upload.RUN_BODY_BYTES)
    assert base64.b64decode(field) == content


@pytest.mark.parametrize("room_bytes", [46_000, 40_000, 23_000])
def test_a_reencoding_takes_the_room_and_is_logged_without_the_path(tmp_path, caplog, room_bytes):
    path = tmp_path / "private.wav"
    path.write_bytes(wav(noise(10)))
    with caplog.at_level(logging.INFO):
        field = request_audio(path, limits=LIMITS, body_limit_bytes=upload.BODY_RESERVE_BYTES + room_bytes)
    assert 0.9 * room_bytes < len(field) <= room_bytes
    size_bytes = len(base64.b64decode(field))
    assert caplog.messages == [f"audio_reencoded bit_rate={round(size_bytes * 8 / 10)} bytes={size_bytes}"]


@pytest.mark.parametrize(
    ("audio", "words"),
    [
        ("http://[::1", "the audio URL is malformed"),
        ("https://user:pw@example.org/a", "user name or password"),
        ("http:///a.wav", "with a host name"),
        ("ftp://example.org/a.wav", "^ftp:// URLs cannot be fetched; pass an http\\(s\\) URL, or a path"),
        (" FILE:///tmp/a.wav", "^file:// URLs cannot be fetched"),
    ],
)
def test_urls_that_no_worker_would_fetch_are_refused_at_once(audio, words):
    with pytest.raises(AudioUrlError, match=words):
        request_audio(audio, limits=LIMITS)


def test_a_colon_does_not_make_a_path_a_url(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "take:1.wav").write_bytes(b"abc")
    assert base64.b64decode(request_audio("take:1.wav", limits=LIMITS)) == b"abc"


@pytest.mark.parametrize(
    ("audio", "error", "words"),
    [
        (b"", EmptyAudioError, "0 bytes"),
        ("no/such/file.wav", InvalidInputError, "cannot read no/such/file.wav: No such file"),
        ("/", InvalidInputError, "cannot read /: Is a directory"),
    ],
)
def test_nothing_to_send_is_said_at_once(audio, error, words):
    with pytest.raises(error, match=words):
        request_audio(audio, limits=LIMITS)


def test_a_pipe_is_read_as_a_file_is(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with ThreadPoolExecutor(1) as pool:
        pool.submit((tmp_path / "pipe").write_bytes, b"recording")
        field = request_audio(tmp_path / "pipe", limits=LIMITS)
    assert base64.b64decode(field) == b"recording"


def test_a_big_file_that_is_no_audio_is_refused_before_it_is_sent():
    with pytest.raises(UnreadableAudioError):
        request_audio(b"just text\n" * 1_200_000, limits=LIMITS)
