"""Every error Parley raises on purpose, and its one mapping to the RunPod and HTTP envelopes.

ParleyError
├── InvalidInputError            the request is wrong; sending it again will not help
│   ├── UnknownFieldError
│   ├── InputTooLargeError       bytes, seconds, channels or sample rate above a limit
│   ├── UnreadableAudioError     not audio, no audio track, damaged, NaN
│   ├── EmptyAudioError          zero bytes, or a container without one sample
│   ├── AudioUrlError            the URL is malformed, refused (private address), or answers 4xx
│   └── IdempotencyConflictError the key was used for another request before
├── AudioFetchError              the audio's server is slow, down or cut the answer short
├── StorageError                 the S3-compatible storage did not take or give what it should
├── ConfigurationError           a setting, token, package or model is missing on the worker
├── EngineError                  the model failed on this audio
│   └── DeviceLostError          the GPU answers this process no more; the worker is restarted
├── OutputTooLargeError          the result does not fit the platform's limit
├── JobCancelledError
├── DeadlineExceededError        a total deadline passed
├── RefusedError                 the web server does not do this: not for this caller, not with this job, not now
│   ├── UnauthorizedError
│   ├── ForbiddenError
│   ├── JobNotFoundError
│   ├── EditConflictError        the transcript was edited elsewhere meanwhile
│   ├── GoneError                what was asked for was erased
│   ├── RateLimitedError
│   ├── QueueFullError
│   └── ServerStoppingError
└── EndpointError                a remote endpoint refused or failed the job
    ├── EndpointAuthError
    ├── EndpointNotFoundError
    │   └── ResultExpiredError   the job is known no more, and its result with it
    ├── EndpointBusyError        rate limited
    └── EndpointUnreachableError
        └── SubmissionUnknownError   the job may or may not have been accepted; it was not sent again
"""

import json
import re
from typing import Any, ClassVar

MAX_FOREIGN_CHARS = 300


class ParleyError(Exception):
    """Base of all expected failures; `message` is written for the caller and says how to fix it."""

    code: ClassVar[str] = "internal_error"
    http_status: ClassVar[int] = 500
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, *, param: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param

    def envelope(self) -> dict[str, Any]:
        """Return `{code, message, param, retryable}`, the body of both envelopes."""
        return {
            "code": self.code,
            "message": self.message,
            "param": self.param,
            "retryable": self.retryable,
        }


class InvalidInputError(ParleyError):
    """The request is wrong."""

    code = "invalid_input"
    http_status = 400


class UnknownFieldError(InvalidInputError):
    """The request has a key that the contract does not know."""

    code = "unknown_field"


class InputTooLargeError(InvalidInputError):
    """The audio is above a limit (bytes, seconds, channels, sample rate)."""

    code = "input_too_large"
    http_status = 413


class UnreadableAudioError(InvalidInputError):
    """The bytes are not audio that can be decoded."""

    code = "unreadable_audio"
    http_status = 415


class EmptyAudioError(InvalidInputError):
    """There is not one sample of audio."""

    code = "empty_audio"
    http_status = 422


class AudioUrlError(InvalidInputError):
    """The audio URL is malformed, refused, or answers with a client error."""

    code = "bad_audio_url"
    http_status = 422


class IdempotencyConflictError(InvalidInputError):
    """The idempotency key belongs to another request."""

    code = "idempotency_conflict"
    http_status = 422


class AudioFetchError(ParleyError):
    """The audio's server failed; trying again may help."""

    code = "audio_fetch_failed"
    http_status = 502
    retryable = True


class StorageError(ParleyError):
    """The S3-compatible storage failed or refused; trying again may help."""

    code = "storage_failed"
    http_status = 502
    retryable = True


class ConfigurationError(ParleyError):
    """A setting, token, package or model is missing or wrong on this machine."""

    code = "configuration_error"
    http_status = 500


class EngineError(ParleyError):
    """The model failed on this audio."""

    code = "engine_failed"
    http_status = 500
    retryable = True


class DeviceLostError(EngineError):
    """The GPU does not answer this process any more."""

    code = "device_lost"


class OutputTooLargeError(ParleyError):
    """The result does not fit the platform's limit."""

    code = "output_too_large"
    http_status = 413


class JobCancelledError(ParleyError):
    """The job was cancelled by the caller."""

    code = "cancelled"
    http_status = 409


class DeadlineExceededError(ParleyError):
    """A total deadline passed."""

    code = "deadline_exceeded"
    http_status = 504
    retryable = True


class RefusedError(ParleyError):
    """The web server does not do what it is asked; `retry_after_s` is when it may, if that is known."""

    code = "refused"
    http_status = 409

    def __init__(self, message: str, *, param: str | None = None, retry_after_s: float | None = None) -> None:
        super().__init__(message, param=param)
        self.retry_after_s = retry_after_s


class UnauthorizedError(RefusedError):
    """There is no API key, or none that is known."""

    code = "invalid_api_key"
    http_status = 401


class ForbiddenError(RefusedError):
    """This caller may not do this, or not from the site that sent it here."""

    code = "forbidden"
    http_status = 403


class JobNotFoundError(RefusedError):
    """There is no such job, or it is another caller's."""

    code = "job_not_found"
    http_status = 404


class EditConflictError(RefusedError):
    """The transcript has been edited since the version that this edit is of."""

    code = "edit_conflict"


class GoneError(RefusedError):
    """The recording or the result was erased, as the settings ask for."""

    code = "gone"
    http_status = 410


class RateLimitedError(RefusedError):
    """Too many requests of one caller."""

    code = "too_many_requests"
    http_status = 429
    retryable = True


class QueueFullError(RefusedError):
    """As many jobs wait as may."""

    code = "queue_full"
    http_status = 429
    retryable = True


class ServerStoppingError(RefusedError):
    """The web server is being stopped and answers no more than that."""

    code = "server_stopping"
    http_status = 503
    retryable = True


class EndpointError(ParleyError):
    """A remote endpoint refused or failed the job; carries the worker's own code when it sent one.

    `retry_after_s` is how many seconds the endpoint asks to be left alone, if it does; `execution_s` how long its
    worker was at the job, which is paid for, too.
    """

    code = "endpoint_failed"
    http_status = 502

    def __init__(
        self,
        message: str,
        *,
        endpoint: str,
        remote: dict[str, Any] | None = None,
        retry_after_s: float | None = None,
        execution_s: float = 0.0,
    ) -> None:
        super().__init__(message, param=(remote or {}).get("param"))
        self.endpoint = endpoint
        self.remote = remote
        self.retry_after_s = retry_after_s
        self.execution_s = execution_s

    def envelope(self) -> dict[str, Any]:
        """Return the body with the worker's own code and retryability, naming the endpoint."""
        body = super().envelope()
        if self.remote is not None:
            body["code"] = self.remote.get("code", self.code)
            body["retryable"] = bool(self.remote.get("retryable", self.retryable))
        origin = (self.remote or {}).get("endpoint")  # of a worker that had it from another endpoint itself
        body["endpoint"] = origin if isinstance(origin, str) else self.endpoint
        return body


class EndpointAuthError(EndpointError):
    """The API key is missing, wrong, or may not use this endpoint."""

    code = "unauthorized"
    http_status = 401


class EndpointNotFoundError(EndpointError):
    """The endpoint id, or the job on it, does not exist."""

    code = "not_found"
    http_status = 404


class EndpointBusyError(EndpointError):
    """The endpoint is rate limited."""

    code = "rate_limited"
    http_status = 429
    retryable = True


class EndpointUnreachableError(EndpointError):
    """The endpoint does not answer."""

    code = "endpoint_unreachable"
    http_status = 502
    retryable = True


class SubmissionUnknownError(EndpointUnreachableError):
    """The answer to a submission was lost; the job may or may not run, and was not sent again."""

    code = "submission_unknown"
    retryable = False


class ResultExpiredError(EndpointNotFoundError):
    """The endpoint knows the accepted job no more, so that its result is lost."""

    code = "result_expired"
    http_status = 410
    retryable = True


def blames_the_request(error: ParleyError) -> bool:
    """Tell whether the caller must change the request, also where a remote worker said so."""
    kinds: list[type[ParleyError]] = [InvalidInputError, *InvalidInputError.__subclasses__()]
    return error.envelope()["code"] in {kind.code for kind in kinds}


def runpod_error(error: ParleyError) -> dict[str, Any]:
    """Map an error to what a RunPod handler returns: `{"error": "<one JSON string>"}`.

    The SDK accepts only a string under `error`; the string is the JSON of `envelope()`. After a lost GPU there is
    `refresh_worker` too, with which the platform replaces the worker.
    """
    answer: dict[str, Any] = {"error": json.dumps(error.envelope(), ensure_ascii=False)}
    return answer | {"refresh_worker": True} if isinstance(error, DeviceLostError) else answer


def http_error(error: ParleyError, *, request_id: str) -> dict[str, Any]:
    """Map an error to the HTTP body `{"error": {code, message, param, retryable, request_id}}`."""
    return {"error": {**error.envelope(), "request_id": request_id}}


def parse_runpod_error(raw: object) -> dict[str, Any]:
    """Read the `error` of a failed RunPod job, whoever wrote it.

    Returns `{code, message, param, retryable}`; text that is not Parley's envelope becomes the message,
    without the SDK's traceback and host name.
    """
    parsed = _json_object(raw)
    if isinstance(parsed.get("code"), str) and isinstance(parsed.get("message"), str):
        return parsed
    text = parsed.get("error_message") or (raw if isinstance(raw, str) and not parsed else "")
    return {
        "code": "endpoint_failed",
        "message": _one_clean_line(str(text)) or "the worker failed without a message",
        "param": None,
        "retryable": False,
    }


def _one_clean_line(text: str) -> str:
    """Return the last line of foreign text (of a traceback, what it is about) without paths and URL queries."""
    lines = [line for line in text.splitlines() if line.strip()] or [""]
    line = re.sub(r"(https?://)[^\s'\"]+", r"\1…", lines[-1].strip())
    return re.sub(r"(?<![:/\w])(?:[A-Za-z]:)?(?:[/\\][\w.+~-]+){2,}", "…", line)[:MAX_FOREIGN_CHARS]


def _json_object(raw: object) -> dict[str, Any]:
    if isinstance(raw, dict):
        return raw
    try:
        value = json.loads(str(raw))
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
