"""A local recording into the `audio` field of a request: passed on, embedded, or re-encoded to fit."""

import base64
from pathlib import Path
from urllib.parse import urlsplit

from common.audio.decode import decode_audio
from common.audio.encode import encode_opus
from common.audio.job_folder import job_folder
from common.audio.limits import SAMPLE_RATE, AudioLimits
from common.errors import EmptyAudioError, InputTooLargeError, InvalidInputError

RUN_BODY_BYTES = 10 * 1000 * 1000  # RunPod's limit for /run
BODY_RESERVE_BYTES = 64 * 1000  # the other fields of the request
OPUS_BIT_RATES = (24_000, 16_000, 12_000)
OPUS_OVERHEAD = 1.1  # Ogg pages and rate variations on top of the nominal rate


def request_audio(audio: str | Path | bytes, *, limits: AudioLimits) -> str:
    """Return the `audio` field for a URL, a data URI, a local path, or a recording's bytes.

    A recording too big for one request is re-encoded to mono 16 kHz Opus. Raises InvalidInputError for a missing
    or empty file and InputTooLargeError for one that does not fit even so; decoding errors pass through.
    """
    if isinstance(audio, str) and urlsplit(audio).scheme in ("http", "https", "data"):
        return audio
    content = audio if isinstance(audio, bytes) else _read(Path(audio))
    if not content:
        raise EmptyAudioError("the audio file is empty (0 bytes)", param="audio")
    if _base64_bytes(len(content)) > RUN_BODY_BYTES - BODY_RESERVE_BYTES:
        content = _shrunk(content, limits)
    return base64.b64encode(content).decode()


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InvalidInputError(f"cannot read {path}: {error.strerror}", param="audio") from None


def _shrunk(content: bytes, limits: AudioLimits) -> bytes:
    with job_folder() as folder:
        path = folder / "recording"
        path.write_bytes(content)
        samples = decode_audio(path, limits=limits)
    duration_s = len(samples) / SAMPLE_RATE
    for bit_rate in OPUS_BIT_RATES:
        if _base64_bytes(round(duration_s * bit_rate / 8 * OPUS_OVERHEAD)) < RUN_BODY_BYTES - BODY_RESERVE_BYTES:
            return encode_opus(samples, bit_rate=bit_rate)
    raise InputTooLargeError(
        f"{duration_s / 60:.0f} minutes of audio do not fit one request; put the file where it has an http(s) URL "
        "and pass that",
        param="audio",
    )


def _base64_bytes(size_bytes: int) -> int:
    return (size_bytes + 2) // 3 * 4
