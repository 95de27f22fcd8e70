"""A new job out of a request: its recording streamed into the storage, or named by a URL, its fields checked."""

import asyncio
import secrets
import uuid
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request

from common.errors import InvalidInputError
from orchestrator.server.context import ServerContext
from orchestrator.server.http.bodies import media_type_of, pieces_of, read_object
from orchestrator.server.http.file_names import name_in_url, safe_name
from orchestrator.server.http.incoming import incoming_file
from orchestrator.server.http.multipart import MAX_TEXT_BYTES, FormReader
from orchestrator.server.http.request_fields import FormFields, check_url, checked, fields_of, refuse_other_fields
from orchestrator.server.jobs import Job, Kind, NewJob

__all__ = ["FormFields", "discarded", "new_file_name", "new_job_id", "queued", "received"]

FORM_RESERVE_BYTES = MAX_TEXT_BYTES + 1024 * 1024  # what a form may have beside its recording
URL = "url"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Intake:
    """What one request is received with."""

    context: ServerContext
    kind: Kind
    query: dict[str, list[str]]
    accept: Callable[[FormFields], dict[str, Any]] | None

    def from_query(self) -> dict[str, Any]:
        """Return the request fields of the query alone; raises InvalidInputError."""
        return fields_of(self.query, kind=self.kind)

    def from_form(self, form: FormFields) -> dict[str, Any]:
        """Return the request fields of form and query together; raises InvalidInputError."""
        _refuse_both(form.keys(), self.query)
        texts = {**self.query, **form}
        return self._checked(fields_of(texts, kind=self.kind) if self.accept is None else self.accept(texts))

    def from_object(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Return the request fields of a JSON object and the query together; raises InvalidInputError."""
        _refuse_both(asked.keys(), self.query)
        refuse_other_fields(set(asked), kind=self.kind)
        return self._checked({**self.from_query(), **asked})

    def url(self, text: str) -> str:
        """Return the URL of a recording if it may be fetched."""
        return check_url(text, allow_private=self.context.settings.limits.allow_private_addresses)

    def _checked(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        allow_private = self.context.settings.limits.allow_private_addresses
        return checked(fields, kind=self.kind, allow_private=allow_private)


async def received(
    request: Request,
    context: ServerContext,
    *,
    owner: str,
    kind: Kind = "transcription",
    accept: Callable[[FormFields], dict[str, Any]] | None = None,
    ephemeral: bool = False,
) -> NewJob:
    """Return the job that a request asks for: a multipart form with `file` or `url`, or a JSON object with `url`.

    `accept` turns the texts of form and query into request fields; by default they are called as those. The recording
    is in the storage then: give the job to `queued`, which takes care of it, or to `discarded`. Raises
    InvalidInputError and its kin for what is wrong, Starlette's ClientDisconnect where the caller goes.
    """
    intake = _Intake(context=context, kind=kind, query=_query(request), accept=accept)
    known: dict[str, Any] = {"id": new_job_id(), "owner": owner, "kind": kind, "ephemeral": ephemeral}
    known["request_id"] = request.state.request_id
    media_type = media_type_of(request)
    if media_type == "multipart/form-data":
        return NewJob(**known, **await _from_form(request, intake, known["id"]))
    if media_type == "application/json":
        return NewJob(**known, **await _from_json(request, intake))
    raise HTTPException(415, "send a multipart/form-data form with the recording as `file`, or JSON with a `url`")


async def queued(context: ServerContext, new: NewJob) -> Job:
    """Put a job into the queue; raises QueueFullError, its recording removed then."""
    try:
        job = await asyncio.to_thread(context.store.add, new)
    except BaseException:
        await asyncio.shield(discarded(context, new))
        raise
    context.runner.wake()
    return job


async def discarded(context: ServerContext, new: NewJob) -> None:
    """Remove the recording of a job that will not be, unless a job has it after all: an earlier one, or this one."""
    if new.audio is not None and not await asyncio.to_thread(context.store.named, [new.audio]):
        await asyncio.to_thread(context.files.delete, new.audio)


def new_job_id() -> str:
    """Return an id that no job has had, and that nobody guesses."""
    return uuid.uuid4().hex


def new_file_name(folder: str, job_id: str, suffix: str = "") -> str:
    """Return a name in the storage that no file has had."""
    return f"{folder}/{job_id}-{secrets.token_hex(4)}{suffix}"


async def _from_form(request: Request, intake: _Intake, job_id: str) -> dict[str, Any]:
    if intake.accept is None:
        intake.from_query()  # what is wrong with it is said before gigabytes are sent
    limits, files = intake.context.settings.limits, intake.context.files
    async with incoming_file(files.incoming, limits) as file:
        form = FormReader(request.headers["content-type"], file.add)
        max_bytes = limits.max_download_bytes + FORM_RESERVE_BYTES
        fix = "send it compressed (opus, mp3) or in parts"
        async for piece in pieces_of(request, max_bytes=max_bytes, fix=fix):
            await form.write(piece)
        form.end()
        urls = form.fields.pop(URL, [])
        fields = await asyncio.to_thread(intake.from_form, form.fields)
        if (form.filename is None) == (not urls) or len(urls) > 1:
            raise InvalidInputError("send one recording: as the form field `file`, or as `url`", param="file")
        if urls:
            return _remote(intake.url(urls[0]), fields)
        name = new_file_name("audio", job_id)
        await file.store(files, name)
    return {
        "audio": name,
        "audio_sha256": file.sha256,
        "audio_bytes": file.size_bytes,
        "filename": safe_name(form.filename or ""),
        "fields": fields,
    }


async def _from_json(request: Request, intake: _Intake) -> dict[str, Any]:
    asked = await read_object(request, max_bytes=MAX_TEXT_BYTES)
    url = asked.pop(URL, None)
    if not isinstance(url, str):
        raise InvalidInputError("the JSON object needs `url`, where the recording is", param=URL)
    return _remote(intake.url(url), await asyncio.to_thread(intake.from_object, asked))


def _remote(url: str, fields: dict[str, Any]) -> dict[str, Any]:
    return {"audio_url": url, "filename": name_in_url(url), "fields": fields}


def _query(request: Request) -> dict[str, list[str]]:
    names = list(dict.fromkeys(request.query_params.keys()))
    return {name: request.query_params.getlist(name) for name in names}


def _refuse_both(given: Collection[str], query: Mapping[str, Any]) -> None:
    if both := sorted(set(given) & query.keys()):
        raise InvalidInputError(f"{both[0]} is given twice: in the query, and in the body", param=both[0])
