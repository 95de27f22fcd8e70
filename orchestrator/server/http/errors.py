"""Every refusal and failure as one envelope: `{"error": {code, message, param, retryable, request_id}}`."""

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from common.errors import ParleyError, UnauthorizedError
from common.logs import current_request_id
from orchestrator.server.http.answers import JsonAnswer

MAX_CHARS = 1000  # of a message or a name that repeats what somebody sent
CODES = MappingProxyType(
    {400: "invalid_input", 404: "not_found", 405: "method_not_allowed", 415: "unsupported_media_type"}
)
MESSAGES = MappingProxyType({
    404: "there is nothing at this address; /openapi.json lists what there is",
    405: "this address does not take this method; the header Allow lists those it takes",
})  # fmt: skip
NOT_THE_SERVERS = frozenset({401, 403, 404, 405, 429})  # of a remote endpoint: they say nothing of this server's caller
CRASHED = "the server failed at this request; its log has the cause"


def handle_errors(app: FastAPI) -> None:
    """Make `app` answer all errors with the envelope."""
    app.add_exception_handler(ParleyError, _of_parley)
    app.add_exception_handler(RequestValidationError, _of_validation)
    app.add_exception_handler(HTTPException, _of_starlette)


def error_answer(error: ParleyError) -> Response:
    """Return the answer that says `error`."""
    retry_after_s = getattr(error, "retry_after_s", None)
    headers = {} if retry_after_s is None else {"Retry-After": str(math.ceil(retry_after_s))}
    if isinstance(error, UnauthorizedError):
        headers["WWW-Authenticate"] = "Bearer"
    return envelope(error.envelope(), status=error.http_status, headers=headers)


def job_error_answer(error: Mapping[str, Any]) -> Response:
    """Return the answer that says how a job failed, with the status that its error would have had at once."""
    status = STATUSES.get(str(error.get("code")), 500)
    return envelope(error, status=502 if status in NOT_THE_SERVERS else status)


def envelope(error: Mapping[str, Any], *, status: int, headers: Mapping[str, str] | None = None) -> Response:
    """Return an answer with `error`, cut where it repeats too much of what was sent."""
    cut = {key: value[:MAX_CHARS] if isinstance(value, str) else value for key, value in error.items()}
    body = {"error": {**cut, "request_id": current_request_id()}}
    return JsonAnswer(body, status_code=status, headers=dict(headers or {}))


def crash_answer() -> Response:
    """Return what is said of an error that nobody expected."""
    return error_answer(ParleyError(CRASHED))


def _of_parley(_: Request, error: Exception) -> Response:
    return error_answer(error) if isinstance(error, ParleyError) else crash_answer()


def _of_validation(_: Request, error: Exception) -> Response:
    detail = error.errors()[0] if isinstance(error, RequestValidationError) else {}
    param = ".".join(str(part) for part in detail.get("loc", ())[1:]) or None
    message = f"{param}: {detail.get('msg')}" if param else str(detail.get("msg"))
    return envelope({"code": "invalid_input", "message": message, "param": param, "retryable": False}, status=422)


def _of_starlette(_: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        return crash_answer()
    message = MESSAGES.get(error.status_code, error.detail)
    code = CODES.get(error.status_code, "refused")
    body = {"code": code, "message": message, "param": None, "retryable": False}
    return envelope(body, status=error.status_code, headers=error.headers)


def _statuses(kind: type[ParleyError]) -> dict[str, int]:
    found: dict[str, int] = {}
    for below in kind.__subclasses__():
        found |= _statuses(below)
    return {**found, kind.code: kind.http_status}


STATUSES: Mapping[str, int] = MappingProxyType(_statuses(ParleyError))
