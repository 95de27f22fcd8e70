"""RunPod's REST API, as far as `parley deploy` needs it: list, create and change endpoints; nothing deletes.

Source: the OpenAPI document of api.runpod.io/v2. Its errors are `application/problem+json`.
"""

import asyncio
import contextlib
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import aiohttp

from common.errors import (
    ConfigurationError,
    EndpointAuthError,
    EndpointBusyError,
    EndpointError,
    EndpointNotFoundError,
    EndpointUnreachableError,
    parse_runpod_error,
)
from common.retries import backoffs, retry_after_s
from orchestrator.deploy.hiding import Hidden
from orchestrator.deploy.remote import API, Remote, found, page_of
from orchestrator.endpoint_http import CONNECT_TIMEOUT_S, RETRY_AFTER_CAP_S, NeverSentError

ATTEMPTS = 4
ANSWER_TIMEOUT_S = 60.0
MAX_PAGES = 100
LOOKS_S = (0.0, 2.0, 4.0, 8.0, 16.0)  # pauses before each look for what may have been made


class _Patience:
    """The pauses between the attempts at one request."""

    def __init__(self) -> None:
        self._left = ATTEMPTS
        self._pauses = backoffs()

    async def pause(self, error: EndpointError) -> None:
        """Wait until the next attempt; raises `error` where that was the last."""
        self._left -= 1
        if not self._left:
            raise error
        await asyncio.sleep(max(next(self._pauses), error.retry_after_s or 0.0))


class RunPodApi:
    """The endpoints of one account.

    No message shows `hidden` values, the key, or the variables of the account's endpoints.
    """

    def __init__(self, session: aiohttp.ClientSession, *, url: str, api_key: str, hidden: Collection[str] = ()) -> None:
        if not (api_key and api_key.isascii() and api_key.isprintable()):
            raise ConfigurationError("set RUNPOD_API_KEY to a key of your RunPod account", param="RUNPOD_API_KEY")
        self._session = session
        self._url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {api_key}"}
        self._hidden = Hidden({api_key, *hidden})

    async def endpoints(self) -> list[Remote]:
        """Return all endpoints of the account."""
        seen: list[Remote] = []
        cursor: str | None = None
        for _ in range(MAX_PAGES):
            page = await self._patiently("GET", "serverless", query={"cursor": cursor} if cursor else {})
            listed, cursor = page_of(page)
            if not all(map(_is_endpoint, listed)):
                raise EndpointError(f"{API} lists no endpoints; is `api` in the settings file right?", endpoint=API)
            for one in listed:
                self._hidden.add_env(one.get("env"))
            seen += listed
            if not cursor:
                return seen
        raise EndpointError(f"{API} goes on listing endpoints without end", endpoint=API)

    async def create(self, body: Mapping[str, Any]) -> Remote:
        """Make an endpoint.

        Where an answer is lost, the account is asked for the endpoint's name, and nothing is ever sent again.
        """
        patience = _Patience()
        while True:
            try:
                return _made(await self._ask("POST", "serverless", body))
            except (EndpointBusyError, NeverSentError) as error:
                await patience.pause(error)
            except EndpointUnreachableError as error:
                return await self._made_after_all(str(body["name"]), error)

    async def _made_after_all(self, name: str, error: EndpointError) -> Remote:
        """Return what was made although no answer said so; raises where it does not turn up."""
        for pause_s in LOOKS_S:
            await asyncio.sleep(pause_s)
            with contextlib.suppress(EndpointBusyError, EndpointUnreachableError):
                if (there := found(name, await self.endpoints())) is not None:
                    return there
        raise EndpointUnreachableError(
            f"{error.message}: it is unknown whether it makes {name}. Look at the console's page of endpoints after a "
            "minute, then run this again, which takes over what is there",
            endpoint=API,
        )

    async def endpoint(self, endpoint_id: str) -> Remote:
        """Return one endpoint as it is."""
        return _made(await self._patiently("GET", f"serverless/{quote(endpoint_id, safe='')}"))

    async def update(self, endpoint_id: str, body: Mapping[str, Any]) -> Remote:
        """Change the fields in `body` and no others."""
        return await self._patiently("PATCH", f"serverless/{quote(endpoint_id, safe='')}", body)

    async def _patiently(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, *, query: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        """Ask for what may be asked for twice, again where that may help."""
        patience = _Patience()
        while True:
            try:
                return await self._ask(method, path, body, query=query)
            except (EndpointBusyError, EndpointUnreachableError) as error:
                await patience.pause(error)

    async def _ask(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, *, query: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        timeout = aiohttp.ClientTimeout(total=ANSWER_TIMEOUT_S, sock_connect=CONNECT_TIMEOUT_S)
        try:
            async with self._session.request(
                method, f"{self._url}/{path}", json=body, params=query, headers=self._headers, timeout=timeout,
                allow_redirects=False,
            ) as response:  # fmt: skip
                answer = await _object(response)
                self._check(response, answer)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
            raise NeverSentError(f"{API} cannot be reached; check the network", endpoint=API) from None
        except (aiohttp.ClientError, TimeoutError, asyncio.IncompleteReadError):
            raise EndpointUnreachableError(f"{API} broke off its answer", endpoint=API) from None
        return answer

    def _check(self, response: aiohttp.ClientResponse, answer: Mapping[str, Any]) -> None:
        status = response.status
        if status < 300:
            if not answer:
                raise EndpointUnreachableError(f"{API} sent no JSON object", endpoint=API)
            return
        said = self._said(answer)
        if status in (401, 403):
            raise EndpointAuthError(
                f"{API} refuses RUNPOD_API_KEY ({status}{said}); it needs to read and write Serverless endpoints",
                endpoint=API,
            )
        if status == 404:
            raise EndpointNotFoundError(f"{API} does not know what it was asked for ({status}{said})", endpoint=API)
        if status == 429:
            after_s = retry_after_s(response.headers.get("Retry-After"), now=datetime.now(UTC), cap_s=RETRY_AFTER_CAP_S)
            raise EndpointBusyError(f"{API} is asked too often", endpoint=API, retry_after_s=after_s)
        if status >= 500 or status == 408:
            raise EndpointUnreachableError(f"{API} failed ({status}{said})", endpoint=API)
        raise EndpointError(f"{API} refuses that ({status}{said})", endpoint=API)

    def _said(self, answer: Mapping[str, Any]) -> str:
        """Return the reason that the API gives, as one line without secrets."""
        errors = answer.get("errors")
        details = [one for one in errors if isinstance(one, dict)] if isinstance(errors, list) else []
        parts = [answer.get("detail") or answer.get("error") or answer.get("title") or ""]
        parts += [f"{one.get('location', '')} {one.get('message', '')}" for one in details]
        text = self._hidden.masked("; ".join(str(part) for part in parts if part))  # before anything else changes it
        text = " ".join("".join(char if char.isprintable() else " " for char in text).split())
        return f": {parse_runpod_error(text)['message']}" if text else ""


def _is_endpoint(answer: object) -> bool:
    return isinstance(answer, dict) and isinstance(answer.get("id"), str)


def _made(answer: Remote) -> Remote:
    if not _is_endpoint(answer):
        raise EndpointUnreachableError(f"{API} does not say what it made", endpoint=API)
    return answer


async def _object(response: aiohttp.ClientResponse) -> dict[str, Any]:
    try:
        answer = await response.json(content_type=None)
    except ValueError:  # a page of HTML
        return {}
    return answer if isinstance(answer, dict) else {}
