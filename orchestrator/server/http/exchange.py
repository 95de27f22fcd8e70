"""Around every request: its id, its line in the log, security headers, and an answer whatever happens."""

import asyncio
import logging
import re
import time
import uuid
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from common.field_values import REQUEST_ID
from common.logs import log_event, request_context
from orchestrator.server.http.ephemeral import stopping
from orchestrator.server.http.errors import crash_answer, error_answer
from orchestrator.server.http.metrics import ServerMetrics
from orchestrator.server.http.security_headers import SECURITY_HEADERS

GONE = 499  # in the log: the caller left before the answer
LINGER_S = 5.0
SMALL_BYTES = 1024 * 1024  # so much of an unread body the HTTP library drops by itself
JOB_ID = re.compile(r"[0-9a-f]{32}")

logger = logging.getLogger(__name__)


class Exchanges:
    """ASGI middleware; the outermost, so that nothing is answered without it."""

    def __init__(self, app: ASGIApp, *, metrics: ServerMetrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = Exchange(scope, receive, send)
        with request_context(request_id=exchange.request_id):
            try:
                await self._app(scope, exchange.receive, exchange.send)
            except ClientDisconnect:
                exchange.status = GONE
            except asyncio.CancelledError:
                if not _is_stopping(scope):
                    raise
                if not exchange.status:  # not by the exchange, which would linger for what still comes
                    await error_answer(stopping())(scope, receive, send)
            except Exception:  # the process boundary: no traceback may reach the caller
                logger.exception("request_crashed")
                if not exchange.status:
                    await crash_answer()(scope, exchange.receive, exchange.send)
            finally:
                self._note(scope, exchange)

    def _note(self, scope: Scope, exchange: "Exchange") -> None:
        """Log the request by its route: addresses may have secrets in them."""
        seconds = time.perf_counter() - exchange.started
        route, status = route_of(scope), exchange.status or GONE
        self._metrics.request_ended(method=scope["method"], route=route, status=status, seconds=seconds)
        job_id = str(scope.get("path_params", {}).get("job_id", ""))
        job = {"job_id": job_id} if JOB_ID.fullmatch(job_id) else {}
        log_event(
            logger, "request", method=scope["method"], route=route, status=status, seconds=round(seconds, 4), **job
        )


class Exchange:
    """One request and its answer, which has `status` 0 until it begins."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.started = time.perf_counter()
        self.status = 0
        self._scope = scope
        self._receive = receive
        self._send = send
        self._headers = Headers(scope=scope)
        self._unread = self._has_body()
        self._closing = False
        given = self._headers.get("x-request-id", "")
        self.request_id = given if re.fullmatch(REQUEST_ID, given) else uuid.uuid4().hex
        scope.setdefault("state", {})["request_id"] = self.request_id

    async def receive(self) -> Message:
        """Pass on what the caller sends."""
        message = await self._receive()
        if message["type"] != "http.request" or not message.get("more_body", False):
            self._unread = False
        return message

    async def send(self, message: Message) -> None:
        """Pass on what is answered, with the headers that all answers have."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self._closing = self._unread and self._is_big()
            self._add_headers(message)
        elif message["type"] == "http.response.body" and self._closing and not message.get("more_body", False):
            await self._send({**message, "more_body": True})
            await self._linger()
            message = {"type": "http.response.body", "body": b"", "more_body": False}
        await self._send(message)

    def _add_headers(self, message: Message) -> None:
        headers = MutableHeaders(raw=message.setdefault("headers", []))
        own: dict[str, Any] = {"X-Request-ID": self.request_id, **self._scope["state"].get("rate_headers", {})}
        for name, value in {**SECURITY_HEADERS, **own}.items():
            headers.setdefault(name, value)
        if self._closing:
            headers["Connection"] = "close"

    async def _linger(self) -> None:
        """Drop for a moment what still comes: a caller who is cut off in the middle does not get to read the answer."""
        try:
            async with asyncio.timeout(LINGER_S):
                while self._unread:
                    await self.receive()
        except TimeoutError:
            pass

    def _has_body(self) -> bool:
        return "transfer-encoding" in self._headers or self._headers.get("content-length", "0") != "0"

    def _is_big(self) -> bool:
        length = self._headers.get("content-length", "")
        return not length.isdecimal() or int(length) > SMALL_BYTES


def _is_stopping(scope: Scope) -> bool:
    """Tell whether the server has begun to stop, for then it cancels what takes too long."""
    closing: asyncio.Event = scope["app"].state.streams.closing
    return closing.is_set()


def route_of(scope: Scope) -> str:
    """Return the template of the route that matched, "other" where none did."""
    path = getattr(scope.get("route"), "path", None)
    if path is None and scope["path"].startswith("/static/"):
        return "/static"
    return str(path or "other")
