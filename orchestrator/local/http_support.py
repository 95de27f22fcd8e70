"""What both sides of the platform's HTTP share: errors as JSON, bodies read within bounds, keys compared."""

import asyncio
import json
import logging
import secrets
from typing import Any, NoReturn

from aiohttp import web
from aiohttp.typedefs import Handler

from common.errors import InputTooLargeError, InvalidInputError, ParleyError

logger = logging.getLogger(__name__)


@web.middleware
async def errors_as_json(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer every error as `{"error": "<message>"}` with its status."""
    try:
        return await handler(request)
    except ParleyError as error:
        return web.json_response({"error": error.message}, status=error.http_status)
    except web.HTTPException as error:
        return web.json_response({"error": error.reason}, status=error.status)
    except ConnectionError:
        raise  # the other side has hung up: nobody is left to answer
    except Exception:  # the process boundary
        logger.exception("request_crashed method=%s", request.method)
        return web.json_response({"error": "the platform failed; its log has the cause"}, status=500)


async def read_body(request: web.Request, *, max_bytes: int, timeout_s: float) -> bytes:
    """Read the body, counting as it arrives.

    Raises InputTooLargeError above `max_bytes`, InvalidInputError when it takes longer than `timeout_s` seconds.
    """
    if (request.content_length or 0) > max_bytes:
        raise _too_large(max_bytes)
    body = bytearray()
    try:
        async with asyncio.timeout(timeout_s):
            async for piece in request.content.iter_any():
                body += piece
                if len(body) > max_bytes:
                    raise _too_large(max_bytes)
    except TimeoutError:
        raise InvalidInputError(f"the body did not arrive within {timeout_s:.0f} s; send it again") from None
    return bytes(body)


async def discard_body(request: web.Request) -> None:
    """Read the rest of the body and drop it, so that a sender in the middle of it gets to read the answer."""
    async for _ in request.content.iter_any():
        pass


def parse_object(body: bytes) -> dict[str, Any]:
    """Return the JSON object in `body`; raises InvalidInputError for anything else, NaN included."""
    try:
        value = json.loads(body, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise InvalidInputError("the body is not valid JSON") from None
    if not isinstance(value, dict):
        raise InvalidInputError("the body must be a JSON object")
    return value


def has_key(request: web.Request, key: str) -> bool:
    """Whether the request carries `key` as `Authorization`, with or without `Bearer`; compared in constant time."""
    given = request.headers.get("Authorization", "").removeprefix("Bearer ").strip()
    return secrets.compare_digest(given.encode(), key.encode())


def _too_large(max_bytes: int) -> InputTooLargeError:
    return InputTooLargeError(f"the request is above {max_bytes} bytes; pass the audio as a URL")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)
