"""A request's `webhook`: its final state, signed, posted until it is taken or the time is up."""

import asyncio
import json
import logging
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import aiohttp
from yarl import URL

from common.audio.addresses import PublicSockets
from common.audio.download import parse_url
from common.errors import AudioUrlError, InvalidInputError
from common.logs import log_event
from common.retries import backoffs, retry_after_s
from common.webhook_signature import signature_headers, signing_key

ATTEMPT_S = 15.0
RETRY_AFTER_CAP_S = 60.0
TRY_AGAIN = frozenset({408, 425, 429})

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What became of a webhook; `reason` says in words for the caller why it was not delivered."""

    delivered: bool
    attempts: int
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Attempt:
    """What came of one POST: delivered without a `reason`; `pause_s` is what the server asked for."""

    reason: str = ""
    final: bool = False
    pause_s: float | None = None


async def deliver(
    url: str,
    body: Mapping[str, Any],
    *,
    secret: str,
    message_id: str,
    allow_private_addresses: bool,
    deadline_s: float,
    first_pause_s: float | None = None,
) -> Delivery:
    """POST `body` as JSON to `url` until it answers 2xx, for at most `deadline_s` seconds.

    Tried again after growing pauses, or those of a `Retry-After`, is what may pass: no connection, 408, 425, 429 and
    5xx. No redirect is followed and no answer's body read. A delivery that fails is no exception; a `secret` that
    cannot sign raises ConfigurationError, and a `body` that is not JSON ValueError.
    """
    key = signing_key(secret)
    payload = json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    try:
        target = webhook_url(url)
    except InvalidInputError as error:
        return _noted(Delivery(delivered=False, attempts=0, reason=error.message))
    sockets = None if allow_private_addresses else PublicSockets()
    async with _session(sockets) as session:
        post = _Post(session, target, payload, key, message_id, sockets)
        return _noted(await _deliver(post, pauses=backoffs(first_s=first_pause_s), ends=time.monotonic() + deadline_s))


def webhook_url(text: str) -> URL:
    """Return the http(s) URL in `text`; raises InvalidInputError for one that nothing can be posted to."""
    try:
        return parse_url(text)
    except AudioUrlError:
        raise InvalidInputError(
            "the webhook must be http:// or https:// with a host name, without user name or password", param="webhook"
        ) from None


@dataclass(frozen=True, slots=True)
class _Post:
    """One message and the way to its receiver."""

    session: aiohttp.ClientSession
    url: URL
    payload: bytes
    key: bytes
    message_id: str
    sockets: PublicSockets | None

    async def once(self, timeout_s: float) -> _Attempt:
        """Post the message, with a fresh time in the signature."""
        signed = signature_headers(self.key, self.message_id, int(time.time()), self.payload)
        headers = {"Content-Type": "application/json", **signed}
        try:
            async with (
                asyncio.timeout(timeout_s),
                self.session.post(self.url, data=self.payload, headers=headers, allow_redirects=False) as answer,
            ):
                return _judged(answer)
        except TimeoutError:
            return _Attempt(reason="its server did not answer in time")
        except ValueError:  # aiohttp.InvalidURL, and UnicodeError for a host name that IDNA cannot spell
            return _Attempt(reason="its URL is malformed", final=True)
        except aiohttp.ClientConnectorCertificateError:
            return _Attempt(reason="its server has no valid TLS certificate", final=True)
        except (aiohttp.ClientError, ConnectionError):
            if self.sockets is not None and self.sockets.refused:
                return _Attempt(reason="its URL leads to a private network address", final=True)
            return _Attempt(reason="its server cannot be reached or does not speak HTTP")


async def _deliver(post: _Post, *, pauses: Iterator[float], ends: float) -> Delivery:
    attempts, attempt = 0, _Attempt(reason="there was no time left for it")
    while (left_s := ends - time.monotonic()) > 0:
        attempts, attempt = attempts + 1, await post.once(min(left_s, ATTEMPT_S))
        pause_s = max(next(pauses), attempt.pause_s or 0.0)
        if not attempt.reason or attempt.final or pause_s >= ends - time.monotonic():
            break
        await asyncio.sleep(pause_s)
    return Delivery(delivered=not attempt.reason, attempts=attempts, reason=attempt.reason)


def _judged(answer: aiohttp.ClientResponse) -> _Attempt:
    status = answer.status
    if 200 <= status < 300:
        return _Attempt()
    again = status in TRY_AGAIN or status >= 500
    asked_s = retry_after_s(answer.headers.get("Retry-After"), now=datetime.now(UTC), cap_s=RETRY_AFTER_CAP_S)
    return _Attempt(reason=f"its server answered {status}", final=not again, pause_s=asked_s)


def _session(sockets: PublicSockets | None) -> aiohttp.ClientSession:
    """Return a session that looks the name up for each connection and makes a new one for each attempt."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(resolver=aiohttp.ThreadedResolver(), socket_factory=sockets, force_close=True),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),  # one deadline, in once()
        headers={"Accept-Encoding": "identity", "User-Agent": "parley"},
        auto_decompress=False,
        trust_env=False,
    )


def _noted(delivery: Delivery) -> Delivery:
    event = "webhook_delivered" if delivery.delivered else "webhook_failed"
    log_event(logger, event, attempts=delivery.attempts, reason=delivery.reason)
    return delivery
