"""What a call of the client says: the fields of its request, how it is to be carried out, what it is known by."""

import hashlib
import io
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Self

from pydantic import Field, PrivateAttr

from common.checks import Check, unchecked
from common.contract import Request, parse_request
from common.errors import AudioUrlError, InvalidInputError
from common.idempotency import content_digest
from common.progress import OnProgress
from orchestrator.endpoints import PLAIN, Endpoint, JobOptions, JobResult
from orchestrator.preparation import late_preparation
from orchestrator.request_parts import Audio
from orchestrator.upload import is_remote, shown_path

HASHED_BYTES = 1 << 20  # between two checks
PositiveSeconds = Annotated[float, Field(gt=0, strict=False)]


class Terms(Request):
    """How a call is carried out: options of the client's methods that are no fields of the request.

    `deadline_s` is the total time, `execution_timeout_s` and `ttl_s` what the platform grants each job of it (that
    time, if left out), `low_priority` keeps the platform from starting workers for it.
    """

    deadline_s: PositiveSeconds
    execution_timeout_s: PositiveSeconds | None = None
    ttl_s: PositiveSeconds | None = None
    low_priority: bool = False
    _granted_s: float | None = PrivateAttr(default=None)

    @property
    def granted_s(self) -> float:
        """The total time as the caller gave it, however much of it is over."""
        return self.deadline_s if self._granted_s is None else self._granted_s

    @classmethod
    def split(cls, options: Mapping[str, object], *, deadline_s: float) -> tuple[Self, dict[str, object]]:
        """Return the terms among `options`, and the fields of the request; raises InvalidInputError for wrong terms."""
        given = {name: options[name] for name in options if name in cls.model_fields and options[name] is not None}
        fields = {name: value for name, value in options.items() if name not in cls.model_fields}
        return parse_request(cls, {"deadline_s": deadline_s, **given}), fields

    def after(self, seconds: float) -> Self:
        """Return the terms for what is left to do after so many seconds; raises DeadlineExceededError."""
        if seconds >= self.deadline_s:
            raise late_preparation(self.granted_s)
        left = self.model_copy(update={"deadline_s": self.deadline_s - seconds})
        left._granted_s = self.granted_s  # noqa: SLF001 - an instance of this class
        return left

    def job_options(self, options: JobOptions = PLAIN) -> JobOptions:
        """Return `options` on these terms."""
        return replace(
            options,
            execution_timeout_s=self.execution_timeout_s,
            ttl_s=self.ttl_s,
            low_priority=self.low_priority,
        )


class EndpointOnTerms:
    """An endpoint whose jobs are all submitted on the terms of one call."""

    def __init__(self, endpoint: Endpoint, terms: Terms) -> None:
        self.name = endpoint.name
        self._endpoint = endpoint
        self._terms = terms

    async def run(
        self,
        job_input: dict[str, Any],
        *,
        deadline_s: float,
        on_progress: OnProgress | None = None,
        options: JobOptions = PLAIN,
    ) -> JobResult:
        """Return the result; see Endpoint.run."""
        return await self._endpoint.run(
            job_input, deadline_s=deadline_s, on_progress=on_progress, options=self._terms.job_options(options)
        )


def fingerprint(audio: Audio, options: Mapping[str, object], *, check: Check = unchecked) -> str:
    """Return a SHA-256 of what a request asks: the recordings' bytes or URLs, and the options.

    Raises InvalidInputError for a recording that cannot be read, and what `check` raises, which is called often.
    """
    return content_digest({"audio": _identity(audio, check), "options": _with_identities(dict(options), check)})


def _with_identities(value: object, check: Check) -> object:
    if isinstance(value, Mapping):
        found = {str(name): _with_identities(part, check) for name, part in value.items()}
        return found | {"audio": _identity(value["audio"], check)} if isinstance(value.get("audio"), str) else found
    if isinstance(value, (list, tuple)):
        return [_with_identities(part, check) for part in value]
    if isinstance(value, (bytes, Path)):
        return _identity(value, check)
    return value if isinstance(value, (str, int, float, bool, type(None))) else repr(value)


def _identity(audio: Audio, check: Check) -> str:
    if isinstance(audio, bytes):
        return _digest(io.BytesIO(audio), check)
    try:
        if isinstance(audio, str) and is_remote(audio):
            return audio
        if Path(audio).is_fifo():
            raise InvalidInputError(
                f"{shown_path(audio)} is a pipe, which can be read only once; pass the bytes that come out of it",
                param="audio",
            )
        with Path(audio).open("rb") as file:
            return _digest(file, check)
    except AudioUrlError:
        return str(audio)  # refused by its name where it is read
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "no path has such characters"
        raise InvalidInputError(f"cannot read {shown_path(str(audio))}: {reason}", param="audio") from None


def _digest(file: BinaryIO, check: Check) -> str:
    digest = hashlib.sha256()
    while block := file.read(HASHED_BYTES):
        check()
        digest.update(block)
    return digest.hexdigest()
