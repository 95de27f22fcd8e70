"""Results above the platform's limit: compressed, or in storage, and back."""

import asyncio
import base64
import gzip
import json
import zlib
from pathlib import Path
from typing import Any, NoReturn

from common.audio.download import download
from common.audio.job_folder import job_folder
from common.audio.limits import AudioLimits
from common.errors import (
    AudioFetchError,
    AudioUrlError,
    InputTooLargeError,
    OutputTooLargeError,
    StorageError,
)
from common.object_store import ObjectStore

PACKED = "packed"
INLINE, STORED = "gzip+base64", "gzip"
KEPT = ("model", "device", "timings", "warnings", "duration", "request_id", "cost")  # readable without unpacking
EXPIRES_S = 24 * 3600
FETCH_TIMEOUT_S = 300.0
MOST_BYTES = 128 * 1000 * 1000  # of a result; the words of four hours are some 10 MB


def packed(result: dict[str, Any], *, limit_bytes: int, store: ObjectStore | None) -> dict[str, Any]:
    """Return `result`, or if its JSON is above `limit_bytes`, what `unpacked` makes it of again.

    It is compressed in base64 then, or else put into `store`, from which nobody deletes it. Blocks. Raises
    OutputTooLargeError if there is no `store`, its errors, and what `json.dumps` does with NaN.
    """
    if _size(result) <= limit_bytes:
        return result
    content = json.dumps(result, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    zipped = gzip.compress(content, mtime=0)
    small = _described(result, {"encoding": INLINE, "bytes": len(content), "data": base64.b64encode(zipped).decode()})
    if _size(small) <= limit_bytes:
        return small
    if store is None:
        raise OutputTooLargeError(
            f"the result has {_size(small)} bytes even compressed, the platform's limit is {limit_bytes}; set "
            '"timestamps": false, ask for response_format "text" or "srt", send the audio in parts, or set S3_BUCKET '
            "on the worker"
        )
    url = store.presigned_url(store.put_bytes(zipped, content_type="application/gzip"), expires_s=EXPIRES_S)
    return _described(result, {"encoding": STORED, "bytes": len(content), "url": url, "expires_in_s": EXPIRES_S})


def _described(result: dict[str, Any], how: dict[str, Any]) -> dict[str, Any]:
    return {PACKED: how} | {name: result[name] for name in KEPT if name in result}


def _size(result: dict[str, Any]) -> int:
    return len(json.dumps({"output": result}, ensure_ascii=False, allow_nan=False).encode())


async def unpacked(
    output: Any,  # noqa: ANN401 - whatever a worker returned
    *,
    allow_private_addresses: bool,
    limit_bytes: int = MOST_BYTES,
    fetch_timeout_s: float = FETCH_TIMEOUT_S,
) -> Any:  # noqa: ANN401
    """Return what was packed, and any other output as it is.

    Raises ValueError for what is damaged, OutputTooLargeError for what has more than `limit_bytes` of JSON, and
    StorageError if its URL cannot be fetched.
    """
    how = output.get(PACKED) if isinstance(output, dict) else None
    if how is None:
        return output
    if isinstance(how, dict) and how.get("encoding") == INLINE and isinstance(how.get("data"), str):
        return await asyncio.to_thread(_inline, how["data"], limit_bytes)
    if isinstance(how, dict) and how.get("encoding") == STORED and isinstance(how.get("url"), str):
        limits = AudioLimits(
            max_download_bytes=limit_bytes,
            fetch_timeout_s=fetch_timeout_s,
            allow_private_addresses=allow_private_addresses,
        )
        return await _stored(how["url"], limits)
    raise ValueError("the packed result is in no known encoding")


async def _stored(url: str, limits: AudioLimits) -> Any:  # noqa: ANN401
    with job_folder() as folder:
        path = folder / "result"
        try:
            await download(url, path, limits=limits)
        except AudioUrlError:
            raise StorageError("the result's URL in the storage is refused or has expired") from None
        except InputTooLargeError:
            raise _too_large(limits.max_download_bytes) from None
        except AudioFetchError:
            raise StorageError("the result's storage is slow or cannot be reached; try again") from None
        return await asyncio.to_thread(_stored_json, path, limits.max_download_bytes)


def _stored_json(path: Path, limit_bytes: int) -> Any:  # noqa: ANN401
    return _json(path.read_bytes(), limit_bytes)


def _inline(data: str, limit_bytes: int) -> Any:  # noqa: ANN401
    return _json(base64.b64decode(data, validate=True), limit_bytes)


def _json(zipped: bytes, limit_bytes: int) -> Any:  # noqa: ANN401
    """Return the JSON in `zipped`, of which no more is expanded than `limit_bytes`."""
    expander = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    try:
        content = expander.decompress(zipped, limit_bytes + 1)
    except zlib.error:
        raise ValueError("the packed result is damaged") from None
    if len(content) > limit_bytes:
        raise _too_large(limit_bytes)
    if not expander.eof or expander.unused_data:
        raise ValueError("the packed result is cut off or has more behind it")
    try:
        result = json.loads(content, parse_constant=_no_number)
    except RecursionError:
        raise ValueError("the packed result is nested too deep") from None
    if not isinstance(result, dict):
        raise ValueError("the packed result is no JSON object")  # noqa: TRY004 - of the data, not of the program
    return result


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"the packed result has {name} in it, which is no JSON")


def _too_large(limit_bytes: int) -> OutputTooLargeError:
    return OutputTooLargeError(f"the packed result has more than the {limit_bytes} bytes that are accepted")
