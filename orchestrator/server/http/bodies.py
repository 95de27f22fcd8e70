"""Bodies as they arrive: counted, within bounds of size and time, never more of them in memory than is said."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request

from common.errors import InputTooLargeError, InvalidInputError
from orchestrator.local.http_support import parse_object

IDLE_S = 60.0  # a caller who sends nothing for so long has gone
BIG_BYTES = 64 * 1024  # JSON above is parsed in a thread
JSON_TYPES = frozenset({"application/json", ""})


async def pieces_of(request: Request, *, max_bytes: int, fix: str) -> AsyncIterator[bytes]:
    """Yield the body piece by piece.

    Raises InputTooLargeError, whose message ends with `fix`, above `max_bytes`, whether it says so beforehand or not;
    InvalidInputError where nothing arrives for `IDLE_S` seconds; Starlette's ClientDisconnect where the caller goes.
    """
    if (declared_bytes(request) or 0) > max_bytes:
        raise _too_large(max_bytes, fix)
    received_bytes = 0
    stream = request.stream()
    while True:
        try:
            async with asyncio.timeout(IDLE_S):
                piece = await anext(stream, None)
        except TimeoutError:
            raise InvalidInputError(f"nothing of the body arrived for {IDLE_S:.0f} s; send it again") from None
        if piece is None:
            return
        received_bytes += len(piece)
        if received_bytes > max_bytes:
            raise _too_large(max_bytes, fix)
        yield piece


async def read_object(request: Request, *, max_bytes: int) -> dict[str, Any]:
    """Return the JSON object in the body; raises as `read_json`, and InvalidInputError for anything else."""
    body = await read_json(request, max_bytes=max_bytes)
    if len(body) <= BIG_BYTES:
        return parse_object(body)
    return await asyncio.to_thread(parse_object, body)


async def read_json(request: Request, *, max_bytes: int) -> bytes:
    """Return a body that says it is JSON, not parsed; raises as `pieces_of`, and Starlette's HTTPException, 415."""
    if media_type_of(request) not in JSON_TYPES:
        raise HTTPException(415, "the body must be application/json")
    return b"".join([piece async for piece in pieces_of(request, max_bytes=max_bytes, fix="send less")])


def declared_bytes(request: Request) -> int | None:
    """Return what the caller says of the body's size, None where it says nothing."""
    text = request.headers.get("content-length", "")
    return int(text) if text.isascii() and text.isdecimal() else None


def media_type_of(request: Request) -> str:
    """Return the body's type without its parameters, in lower case."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _too_large(max_bytes: int, fix: str) -> InputTooLargeError:
    return InputTooLargeError(f"the request is larger than the limit of {max_bytes} bytes; {fix}", param="body")
