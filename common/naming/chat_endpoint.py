"""Name speakers by what they say ("Hi, I'm Sheila"), with a language model behind an OpenAI-compatible endpoint."""

import asyncio
import contextlib
import json
import logging
import time
from collections.abc import Collection, Sequence
from typing import Any

import aiohttp
from pydantic import BaseModel, Field, ValidationError

from common.errors import (
    DeadlineExceededError,
    EndpointAuthError,
    EndpointBusyError,
    EndpointError,
    EndpointNotFoundError,
    EndpointUnreachableError,
)
from common.logs import log_event
from common.naming.prompt import naming_messages
from common.naming.spoken_names import spoken_names
from common.settings import NamingSettings
from common.timeline import Segment

ENDPOINT = "speaker_naming"
MAX_ANSWER_BYTES = 1024 * 1024  # reasoning included
PIECE_BYTES = 64 * 1024
OPTIONAL_FIELDS: dict[str, Any] = {"temperature": 0, "response_format": {"type": "json_object"}}
MAX_OBJECT_CHARS = 16_384  # with which an answer ends: a hundred names, and time to look for them at every brace
JSON = json.JSONDecoder()
NO_NAMES = "the speaker naming model answered without a JSON object of names; set SPEAKER_NAMING_MODEL to one that can"

logger = logging.getLogger(__name__)


class _Message(BaseModel):
    content: str | None = None


class _Choice(BaseModel):
    message: _Message


class _Completion(BaseModel):
    """What is read of a chat completion (https://platform.openai.com/docs/api-reference/chat/object)."""

    choices: list[_Choice] = Field(min_length=1)


async def names_from_talk(
    segments: Sequence[Segment], unnamed: Collection[str], *, settings: NamingSettings, session: aiohttp.ClientSession
) -> dict[str, str]:
    """Return names for those labels of `unnamed` whose speaker the talk names for certain, as `spoken_names` checks.

    Returns {} without asking where naming is off or none of them says anything. Raises DeadlineExceededError after
    `settings.timeout_s` seconds, and EndpointError or one of its kinds.
    """
    labels = set(unnamed).intersection(segment.speaker for segment in segments if segment.speaker)
    if not (settings.url and labels):
        return {}
    started = time.monotonic()
    try:
        async with asyncio.timeout(settings.timeout_s):
            content = await _completed(naming_messages(segments, labels), settings, session)
    except TimeoutError:
        raise DeadlineExceededError(
            f"the speaker naming endpoint did not answer within {settings.timeout_s:g} s; "
            "choose a faster model, or raise SPEAKER_NAMING_TIMEOUT"
        ) from None
    names = spoken_names(_json_object(content), segments, labels)
    seconds = round(time.monotonic() - started, 3)
    log_event(logger, "speakers_named", labels=len(labels), named=len(names), seconds=seconds)
    return names


async def _completed(
    messages: Sequence[dict[str, str]], settings: NamingSettings, session: aiohttp.ClientSession
) -> str:
    """Return the model's words, asked once more without the fields that the server refuses, if it says so.

    OpenAI's reasoning models take no `temperature`, LM Studio no `json_object`.
    """
    request: dict[str, Any] = {"model": settings.model, "messages": messages, "stream": False}
    status, body = await _posted(request | OPTIONAL_FIELDS, settings, session)
    if status in (400, 422):
        refused = {name for name in OPTIONAL_FIELDS if name.encode() in body} or set(OPTIONAL_FIELDS)
        kept = {name: value for name, value in OPTIONAL_FIELDS.items() if name not in refused}
        status, body = await _posted(request | kept, settings, session)
    _check_status(status)
    if len(body) > MAX_ANSWER_BYTES:
        raise _failed("the speaker naming endpoint's answer is far too long; set SPEAKER_NAMING_MODEL to another model")
    try:
        return _Completion.model_validate_json(body).choices[0].message.content or ""
    except ValidationError:
        raise _failed(
            "the speaker naming endpoint sent no chat completion; set SPEAKER_NAMING_URL to the base URL of an "
            "OpenAI-compatible API, ending in /v1"
        ) from None


async def _posted(
    request: dict[str, Any], settings: NamingSettings, session: aiohttp.ClientSession
) -> tuple[int, bytes]:
    headers = {"Content-Type": "application/json"}
    if settings.api_key:
        headers["Authorization"] = f"Bearer {settings.api_key}"
    try:
        async with session.post(
            f"{settings.url}/chat/completions",
            data=json.dumps(request).encode(),
            headers=headers,
            allow_redirects=False,  # they would be sent the talk and the key
            timeout=aiohttp.ClientTimeout(total=settings.timeout_s),
        ) as response:
            return response.status, await _bounded(response.content)
    except TimeoutError:
        raise
    except (aiohttp.ClientError, OSError, ValueError):
        raise EndpointUnreachableError(
            "the speaker naming endpoint cannot be reached or broke off its answer; "
            "check SPEAKER_NAMING_URL and that its server is running",
            endpoint=ENDPOINT,
        ) from None


async def _bounded(stream: aiohttp.StreamReader) -> bytes:
    """Return the body, or so much of it that it is seen to be too long."""
    body = bytearray()
    async for piece in stream.iter_chunked(PIECE_BYTES):
        body += piece
        if len(body) > MAX_ANSWER_BYTES:
            break
    return bytes(body)


def _check_status(status: int) -> None:
    if status in (401, 403):
        raise EndpointAuthError(
            "the speaker naming endpoint refused the API key; set SPEAKER_NAMING_API_KEY to one that may use the model",
            endpoint=ENDPOINT,
        )
    if status == 404:
        raise EndpointNotFoundError(
            "the speaker naming endpoint or its model does not exist; check that SPEAKER_NAMING_URL is the base URL, "
            "ending in /v1, and that the server has SPEAKER_NAMING_MODEL",
            endpoint=ENDPOINT,
        )
    if status == 429:
        raise EndpointBusyError(
            "the speaker naming endpoint is rate limited or its quota is used up; try again later", endpoint=ENDPOINT
        )
    if status >= 500:
        raise EndpointUnreachableError(
            f"the speaker naming endpoint failed ({status}); look at its server's log", endpoint=ENDPOINT
        )
    if status >= 400:
        raise _failed(f"the speaker naming endpoint refused the request ({status}); check SPEAKER_NAMING_MODEL")
    if status != 200:
        raise _failed(
            f"the speaker naming endpoint does not answer there ({status}); set SPEAKER_NAMING_URL to its final address"
        )


def _json_object(content: str) -> dict[str, Any]:
    """Return the last JSON object of the model's answer, which may be in a code fence, after reasoning, amid prose."""
    answer = content.rpartition("</think>")[2][-MAX_OBJECT_CHARS:]
    found, start = None, answer.find("{")
    while start >= 0:
        end = start + 1
        with contextlib.suppress(ValueError, RecursionError):  # what is no JSON, and what is nested without end
            found, end = JSON.raw_decode(answer, start)
        start = answer.find("{", end)
    if not isinstance(found, dict):
        raise _failed(NO_NAMES)
    return found


def _failed(message: str) -> EndpointError:
    return EndpointError(message, endpoint=ENDPOINT)
