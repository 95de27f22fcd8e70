"""Connections as uvicorn has them, but silent ones are closed, and what is no HTTP is answered as all errors are."""

import asyncio
import uuid

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from common.logs import request_context
from orchestrator.server.http.errors import envelope
from orchestrator.server.http.security_headers import SECURITY_HEADERS

HEAD_S = 20.0  # within which the head of a request is there; uvicorn waits for ever, and has 1000 connections


class Connection(H11Protocol):
    """One connection, closed where `HEAD_S` seconds after its begin, or after a request's, there is no whole head."""

    _head_due: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        """Begin to wait for a head."""
        super().connection_made(transport)
        self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what comes; a head that comes byte by byte has no longer than another."""
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE or self.transport.is_closing():
            self._stop_waiting()
        elif self._head_due is None:
            self._wait_for_head()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP, unless an answer has begun, and close."""
        if self.conn.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            self._refuse(msg)
        self.transport.close()

    def _refuse(self, message: str) -> None:
        request_id = uuid.uuid4().hex
        with request_context(request_id=request_id):
            error = {"code": "invalid_input", "message": message, "param": None, "retryable": False}
            answer = envelope(error, status=400, headers={**SECURITY_HEADERS, "X-Request-ID": request_id})
        headers = [*answer.raw_headers, (b"connection", b"close")]
        for event in (
            h11.Response(status_code=400, headers=headers, reason=b"Bad Request"),
            h11.Data(data=bytes(answer.body)),
            h11.EndOfMessage(),
        ):
            self.transport.write(self.conn.send(event) or b"")

    def _wait_for_head(self) -> None:
        self._head_due = self.loop.call_later(HEAD_S, self.timeout_keep_alive_handler)

    def _stop_waiting(self) -> None:
        if self._head_due is not None:
            self._head_due.cancel()
            self._head_due = None
