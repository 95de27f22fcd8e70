"""One HTTP exchange with an endpoint: its answer as an object, or the error that says what may be done about it."""

import asyncio
import io
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import aiohttp

from common.errors import (
    ConfigurationError,
    EndpointAuthError,
    EndpointBusyError,
    EndpointError,
    EndpointNotFoundError,
    EndpointUnreachableError,
    IdempotencyConflictError,
    InputTooLargeError,
)
from common.retries import retry_after_s

KEY_HEADER, REPLAYED_HEADER = "Idempotency-Key", "Idempotency-Replayed"
CONNECT_TIMEOUT_S = 15.0
RETRY_AFTER_CAP_S = 60.0  # however long an endpoint asks for


class NeverSentError(EndpointUnreachableError):
    """No connection was made, so that the request may be sent again without running a job twice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What an endpoint answered.

    `honours_keys` tells that it knows idempotency keys, as the local platform does; `replayed` that the job was there
    under its key before.
    """

    body: dict[str, Any]
    honours_keys: bool
    replayed: bool = False


class EndpointHttp:
    """The connection to one endpoint, by a session that several share."""

    def __init__(self, *, name: str, url: str, api_key: str, session: aiohttp.ClientSession) -> None:
        self._name = name
        self._url = url
        self._headers = {"Content-Type": "application/json"}
        if not (api_key.isascii() and api_key.isprintable()):
            raise ConfigurationError("RUNPOD_API_KEY has characters that no key has", param="RUNPOD_API_KEY")
        if api_key:
            self._headers["Authorization"] = f"Bearer {api_key}"
        self._session = session

    async def ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        *,
        timeout_s: float,
        headers: Mapping[str, str] | None = None,
        absent_ok: bool = False,
    ) -> Answer:
        """Return the JSON object at `path` within `timeout_s` seconds; an empty one for 404 where `absent_ok`.

        Raises NeverSentError when nothing was sent, EndpointBusyError for 429, EndpointUnreachableError where it is
        unknown whether the request had an effect, and EndpointAuthError, EndpointNotFoundError, InputTooLargeError,
        IdempotencyConflictError or EndpointError for what the endpoint refused.
        """
        try:
            async with self._session.request(
                method,
                f"{self._url}/{path}",
                data=None if body is None else io.BytesIO(body),  # streamed: it may have 20 MB
                headers={**self._headers, **(headers or {})},
                timeout=aiohttp.ClientTimeout(total=timeout_s, sock_connect=CONNECT_TIMEOUT_S),
            ) as response:
                honours_keys = KEY_HEADER in response.headers
                if absent_ok and response.status == 404:
                    return Answer(body={}, honours_keys=honours_keys)
                self._check(response)
                replayed = REPLAYED_HEADER in response.headers
                answer = await response.json(content_type=None)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
            raise NeverSentError(f"the {self._name} endpoint cannot be reached", endpoint=self._name) from None
        except (aiohttp.ClientError, TimeoutError, ValueError, asyncio.IncompleteReadError):
            raise self._unreachable("broke off its answer") from None
        if not isinstance(answer, dict):
            raise self._unreachable("sent no JSON object")
        return Answer(body=answer, honours_keys=honours_keys, replayed=replayed)

    def _unreachable(self, what: str, *, after_s: float | None = None) -> EndpointUnreachableError:
        return EndpointUnreachableError(f"the {self._name} endpoint {what}", endpoint=self._name, retry_after_s=after_s)

    def _check(self, response: aiohttp.ClientResponse) -> None:
        status, name = response.status, self._name
        if status < 400:
            return
        after_s = retry_after_s(response.headers.get("Retry-After"), now=datetime.now(UTC), cap_s=RETRY_AFTER_CAP_S)
        if status in (401, 403):
            raise EndpointAuthError(
                f"the {name} endpoint refused the API key; set RUNPOD_API_KEY to a key that may use it", endpoint=name
            )
        if status == 404:
            raise EndpointNotFoundError(
                f"the {name} endpoint, or the job on it, does not exist (any more); check its endpoint id",
                endpoint=name,
            )
        if status == 413:
            raise InputTooLargeError(
                f"the request is too large for the {name} endpoint; pass recordings as http(s) URLs", param="audio"
            )
        if status == 422:
            raise IdempotencyConflictError(
                f"the idempotency key was used for another request to the {name} endpoint; use a new one",
                param="idempotency_key",
            )
        if status == 429:
            raise EndpointBusyError(f"the {name} endpoint is rate limited", endpoint=name, retry_after_s=after_s)
        if status >= 500 or status == 408:
            raise self._unreachable(f"answered {status}", after_s=after_s)
        raise EndpointError(f"the {name} endpoint refused the request ({status})", endpoint=name)
