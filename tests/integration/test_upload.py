import base64
import io

import numpy as np
import pytest
import soundfile as sf

from common.audio.decode import decode_audio
from common.audio.encode import encode_opus
from common.audio.limits import SAMPLE_RATE, AudioLimits
from common.errors import EmptyAudioError, InputTooLargeError, InvalidInputError, UnreadableAudioError
from orchestrator import upload
from orchestrator.upload import request_audio

LIMITS = AudioLimits()


def tone(seconds, hz=440.0):
    times = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    return (0.5 * np.sin(2 * np.pi * hz * times)).astype(np.float32)


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
    noise = np.random.default_rng(0).normal(0, 0.1, 30 * SAMPLE_RATE).astype(np.float32)
    assert len(encode_opus(noise, bit_rate=16_000)) * 8 / 30 < 16_000 * 1.15


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


def test_what_does_not_fit_even_so_is_refused(monkeypatch):
    monkeypatch.setattr(upload, "RUN_BODY_BYTES", upload.BODY_RESERVE_BYTES + 1000)
    with pytest.raises(InputTooLargeError, match="http\\(s\\) URL"):
        request_audio(wav(tone(10)), limits=LIMITS)


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


def test_a_big_file_that_is_no_audio_is_refused_before_it_is_sent():
    with pytest.raises(UnreadableAudioError):
        request_audio(b"just text\n" * 1_200_000, limits=LIMITS)
