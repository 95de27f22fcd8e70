"""From what a request calls `audio` to one file in the job's own folder."""

import asyncio
import re
from pathlib import Path

from common.audio.download import download
from common.audio.inline import inline_bytes
from common.audio.limits import AudioLimits
from common.errors import AudioUrlError

SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]{0,30}):")


async def fetch_audio(source: str, folder: Path, *, limits: AudioLimits) -> Path:
    """Write the audio named or contained in `source` to one file in `folder` and return its path.

    `source` is an http(s) URL, a data URI, or base64. Raises InvalidInputError and its kinds (AudioUrlError,
    InputTooLargeError) for what the caller must change, AudioFetchError for what may work another time.
    """
    path = folder / "audio"
    source = source.strip()
    scheme = _scheme(source)
    if scheme in {"http", "https"}:
        await download(source, path, limits=limits)
    elif scheme in {"data", None}:
        await asyncio.to_thread(_write_inline, source, path, limits)
    else:
        raise AudioUrlError("audio must be an http(s) URL, a data URI or base64", param="audio")
    return path


def _scheme(source: str) -> str | None:
    match = SCHEME.match(source)
    return match[1].lower() if match else None


def _write_inline(source: str, path: Path, limits: AudioLimits) -> None:
    path.write_bytes(inline_bytes(source, limits=limits))
