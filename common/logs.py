"""Log lines: an event name plus fields and the request at hand, never transcript text, audio URLs or tokens."""

import json
import logging
import math
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

PLAIN_VALUE = re.compile(r"[!#-\[\]-~]+")  # printable ASCII without space, quote and backslash
RECORD_EVENT, RECORD_FIELDS = "parley_event", "parley_fields"

_request: ContextVar[Mapping[str, str]] = ContextVar("parley_request", default=MappingProxyType({}))


@contextmanager
def request_context(*, request_id: str, job_id: str | None = None) -> Iterator[None]:
    """Put the ids into every log line of this block, of its asyncio tasks and of what it gives `asyncio.to_thread`."""
    ids = {"request_id": request_id} if job_id is None else {"request_id": request_id, "job_id": job_id}
    token = _request.set(MappingProxyType(ids))
    try:
        yield
    finally:
        _request.reset(token)


def current_request_id() -> str | None:
    """Return the id of the request at hand, if there is one."""
    return _request.get().get("request_id")


def set_up_logs(level: int = logging.INFO, log_format: str = "text") -> None:
    """Send the log of this process to stderr, one line an event; `log_format` is `text` or `json`.

    Called again it changes the format. Where somebody else has set up the root logger, that stays as it is.
    """
    root = logging.getLogger()
    formatter = JsonFormatter() if log_format == "json" else TextFormatter()
    if not root.handlers:
        root.addHandler(logging.StreamHandler())
        root.handlers[0].setFormatter(formatter)
    for handler in root.handlers:
        if isinstance(handler.formatter, (JsonFormatter, TextFormatter)):
            handler.setFormatter(formatter)
            root.setLevel(level)


def log_event(logger: logging.Logger, event: str, /, **fields: object) -> None:
    """Log `event` at INFO with its fields: as `key=value`, in JSON as members."""
    text = " ".join((event, *_pairs(fields)))
    logger.info("%s", text, extra={RECORD_EVENT: event, RECORD_FIELDS: fields})


class TextFormatter(logging.Formatter):
    """`time level logger event key=value …`; what is not plain in a value is quoted as in JSON.

    A traceback follows indented, so that no line in it can pass for one of the log's own.
    """

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        """Return the line without a traceback."""
        known = getattr(record, RECORD_FIELDS, {})
        ids = {key: value for key, value in _request.get().items() if key not in known}
        return " ".join((_one_line(super().formatMessage(record)), *_pairs(ids)))

    def formatException(self, ei: Any) -> str:  # noqa: ANN401, N802 - logging's signature
        """Return the traceback."""
        return _indented(super().formatException(ei))

    def formatStack(self, stack_info: str) -> str:  # noqa: N802 - logging's name
        """Return the stack."""
        return _indented(super().formatStack(stack_info))


class JsonFormatter(logging.Formatter):
    """One JSON object a line: `time` (RFC 3339, UTC), `level`, `logger`, `event`, the fields, `exception`."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line; a field that has the name of one of these is left out."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "event": getattr(record, RECORD_EVENT, None) or record.getMessage(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        if record.stack_info:
            line["stack"] = record.stack_info
        fields = {**_request.get(), **getattr(record, RECORD_FIELDS, {})}
        typed = {key: _typed(value) for key, value in fields.items() if key not in line}
        return json.dumps(line | typed)


def _pairs(fields: Mapping[str, object]) -> list[str]:
    return [f"{key}={_quoted(str(value))}" for key, value in fields.items()]


def _quoted(text: str) -> str:
    return text if PLAIN_VALUE.fullmatch(text) else json.dumps(text)


def _one_line(text: str) -> str:
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def _indented(text: str) -> str:
    return "\n".join(f"    {_one_line(line)}" for line in text.splitlines())


def _typed(value: object) -> object:
    """Return `value` as JSON can say it: numbers as numbers, what JSON does not know as text."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return str(value)
    return value
