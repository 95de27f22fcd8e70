"""A local recording into the `audio` field of a request: passed on, embedded, or re-encoded to fit."""

import base64
import logging
import math
import re
from pathlib import Path

from common.audio.decode import decode_audio
from common.audio.download import parse_url
from common.audio.encode import encode_opus
from common.audio.job_folder import job_folder
from common.audio.limits import SAMPLE_RATE, AudioLimits
from common.errors import AudioUrlError, EmptyAudioError, InputTooLargeError, InvalidInputError
from common.logs import log_event
from orchestrator.endpoints import RUN_BODY_BYTES

BODY_RESERVE_BYTES = 64 * 1000  # the other fields of the request
OPUS_BIT_RATES = (24_000, 16_000, 12_000)
OPUS_OVERHEAD = 1.1  # Ogg pages and rate variations on top of the nominal rate
SHOWN_IN_SECONDS_S = 120.0
SHOWN_PATH_CHARS = 80
SCHEME = re.compile(r"(?P<name>[A-Za-z][A-Za-z0-9+.-]*):(?P<slashes>//)?")

logger = logging.getLogger(__name__)


def request_audio(
    audio: str | Path | bytes,
    *,
    limits: AudioLimits,
    body_limit_bytes: int = RUN_BODY_BYTES,
    first_s: float = math.inf,
) -> str:
    """Return the `audio` field for a URL, a data URI, a local path, or a recording's bytes.

    A recording too big for a request of `body_limit_bytes` is re-encoded to mono 16 kHz Opus, without what comes after
    its first `first_s` seconds. Raises AudioUrlError for a URL that no worker would fetch, InvalidInputError for a
    missing or empty file and InputTooLargeError for one that does not fit even so; decoding errors pass through.
    """
    if isinstance(audio, str) and is_remote(audio):
        return audio
    content = audio if isinstance(audio, bytes) else _read(Path(audio))
    if not content:
        raise EmptyAudioError("the audio file is empty (0 bytes)", param="audio")
    room_bytes = body_limit_bytes - BODY_RESERVE_BYTES
    if _base64_bytes(len(content)) > room_bytes:
        content = _shrunk(content, limits, room_bytes, first_s)
    return base64.b64encode(content).decode()


def is_remote(audio: str) -> bool:
    """Tell a URL or data URI from a path; raises AudioUrlError for a URL that no worker would fetch."""
    scheme = SCHEME.match(audio.strip())
    if scheme is None:
        return False
    if scheme["name"].lower() in {"http", "https"}:
        parse_url(audio.strip())
    elif scheme["name"].lower() != "data":
        if scheme["slashes"]:
            raise AudioUrlError(
                f"{scheme['name'].lower()}:// URLs cannot be fetched; pass an http(s) URL, or a path on this machine",
                param="audio",
            )
        return False
    return True


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InvalidInputError(f"cannot read {shown_path(path)}: {error.strerror}", param="audio") from None
    except ValueError:
        raise InvalidInputError(f"cannot read {shown_path(path)}: no path has such characters", param="audio") from None


def shown_path(path: str | Path) -> str:
    """Return what was given as a path for a message: on one line, and not the whole of what can hardly be one."""
    text = "".join(char if char.isprintable() else "�" for char in str(path))
    half = SHOWN_PATH_CHARS // 2
    return text if len(text) <= SHOWN_PATH_CHARS else f"{text[: half - 1]}…{text[-half:]}"


def _shrunk(content: bytes, limits: AudioLimits, room_bytes: int, first_s: float) -> bytes:
    with job_folder() as folder:
        path = folder / "recording"
        path.write_bytes(content)
        samples = decode_audio(path, limits=limits, first_s=first_s)
    duration_s = len(samples) / SAMPLE_RATE
    for bit_rate in OPUS_BIT_RATES:
        if _base64_bytes(round(duration_s * bit_rate / 8 * OPUS_OVERHEAD)) < room_bytes:
            shrunk = encode_opus(samples, bit_rate=bit_rate)
            if _base64_bytes(len(shrunk)) <= room_bytes:
                log_event(logger, "audio_reencoded", bit_rate=bit_rate, bytes=len(shrunk))
                return shrunk
    raise InputTooLargeError(
        f"{_shown_time(duration_s)} of audio do not fit one request; put the file where it has an http(s) URL "
        "and pass that",
        param="audio",
    )


def _shown_time(seconds: float) -> str:
    return f"{seconds:.0f} seconds" if seconds < SHOWN_IN_SECONDS_S else f"{seconds / 60:.0f} minutes"


def _base64_bytes(size_bytes: int) -> int:
    return (size_bytes + 2) // 3 * 4
