"""A local recording into the `audio` field of a request: embedded, re-encoded to fit, or put into storage."""

import base64
import logging
import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from common.audio.decode import decode_audio
from common.audio.download import parse_url
from common.audio.encode import MIN_BIT_RATE, encode_opus_within
from common.audio.job_folder import job_folder
from common.audio.limits import SAMPLE_RATE, AudioLimits
from common.checks import Check, unchecked
from common.errors import AudioUrlError, EmptyAudioError, InputTooLargeError, InvalidInputError
from common.logs import log_event
from orchestrator.endpoints import RUN_BODY_BYTES
from orchestrator.uploads import Uploads

__all__ = ["BODY_RESERVE_BYTES", "Uploads", "is_remote", "request_audio", "shown_path"]

BODY_RESERVE_BYTES = 64 * 1000  # the other fields of the request
SHOWN_IN_SECONDS_S = 120.0
SHOWN_PATH_CHARS = 80
SPARSE = 2.0  # times what surely fits, a recording with many pauses may fit; a longer one is not tried
SCHEME = re.compile(r"(?P<name>[A-Za-z][A-Za-z0-9+.-]*):(?P<slashes>//)?")

logger = logging.getLogger(__name__)


def request_audio(
    audio: str | Path | bytes,
    *,
    limits: AudioLimits,
    body_limit_bytes: int = RUN_BODY_BYTES,
    first_s: float = math.inf,
    uploads: Uploads | None = None,
    check: Check = unchecked,
) -> str:
    """Return the `audio` field for a URL, a data URI, a local path, or a recording's bytes.

    A recording too big for a request of `body_limit_bytes` is re-encoded to mono 16 kHz Opus, without what comes after
    its first `first_s` seconds; one that does not fit even so is put as it is where `uploads` puts it. Raises
    AudioUrlError for a URL that no worker would fetch, InvalidInputError for a missing or empty file and
    InputTooLargeError for one that does not fit without storage; errors of decoding and storage pass through, and what
    `check` raises, which is called between the steps of decoding and encoding.
    """
    if isinstance(audio, str) and is_remote(audio):
        return audio
    source = audio if isinstance(audio, bytes) else _local(Path(audio))
    size_bytes = len(source) if isinstance(source, bytes) else source.stat().st_size
    if not size_bytes:
        raise EmptyAudioError("the audio file is empty (0 bytes)", param="audio")
    room_bytes = max(body_limit_bytes - BODY_RESERVE_BYTES, 0) // 4 * 3  # in base64 four characters carry three bytes
    if size_bytes <= room_bytes:
        return base64.b64encode(source if isinstance(source, bytes) else _read(source)).decode()
    shrunk = _shrunk(source, limits, room_bytes, first_s, check)
    if shrunk is not None:
        return base64.b64encode(shrunk).decode()
    if uploads is not None and uploads.configured:
        return uploads.put(source)
    raise _too_long(room_bytes)


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


def _local(path: Path) -> Path | bytes:
    """Return the path of a file that can be read, or what comes out of a pipe."""
    with _path_errors(path):
        if not path.is_file():
            return path.read_bytes()
        with path.open("rb"):
            return path


def _read(path: Path) -> bytes:
    with _path_errors(path):
        return path.read_bytes()


@contextmanager
def _path_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InvalidInputError(f"cannot read {shown_path(path)}: {error.strerror}", param="audio") from None
    except ValueError:
        raise InvalidInputError(f"cannot read {shown_path(path)}: no path has such characters", param="audio") from None


def shown_path(path: str | Path) -> str:
    """Return what was given as a path for a message: on one line, and not the whole of what can hardly be one."""
    text = "".join(char if char.isprintable() else "�" for char in str(path))
    half = SHOWN_PATH_CHARS // 2
    return text if len(text) <= SHOWN_PATH_CHARS else f"{text[: half - 1]}…{text[-half:]}"


def _shrunk(source: bytes | Path, limits: AudioLimits, room_bytes: int, first_s: float, check: Check) -> bytes | None:
    """Return a recording as Opus of at most `room_bytes`, None if it is too long; how much too long is not decoded."""
    hopeless_s = SPARSE * _fitting_s(room_bytes)
    with _as_file(source) as path:
        samples = decode_audio(path, limits=limits, first_s=min(first_s, hopeless_s + 1.0), check=check)
    if len(samples) > hopeless_s * SAMPLE_RATE:
        return None
    shrunk = encode_opus_within(samples, limit_bytes=room_bytes, check=check)
    if shrunk is not None:
        bit_rate = round(len(shrunk) * 8 * SAMPLE_RATE / len(samples))
        log_event(logger, "audio_reencoded", bit_rate=bit_rate, bytes=len(shrunk))
    return shrunk


@contextmanager
def _as_file(source: bytes | Path) -> Iterator[Path]:
    if isinstance(source, Path):
        yield source
        return
    with job_folder() as folder:
        path = folder / "recording"
        path.write_bytes(source)
        yield path


def _fitting_s(room_bytes: int) -> float:
    """Return of how many seconds the Opus file surely fits."""
    return room_bytes * 8 / MIN_BIT_RATE


def _too_long(room_bytes: int) -> InputTooLargeError:
    fitting_s = _fitting_s(room_bytes)
    shown = f"{fitting_s:.0f} seconds" if fitting_s < SHOWN_IN_SECONDS_S else f"{fitting_s / 60:.0f} minutes"
    return InputTooLargeError(
        f"the recording is too long for one request, which has room for {shown} of it; put it where it has an http(s) "
        f"URL and pass that, set S3_BUCKET and its keys so that it is uploaded for the time of the job, or send parts "
        f"of at most {shown}",
        param="audio",
    )
