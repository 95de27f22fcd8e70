"""OpenAI's routes for transcription, for its clients: they need to be told another base URL and nothing else."""

import asyncio
import json
from collections.abc import Iterable, Mapping
from contextlib import AsyncExitStack
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from common.errors import InvalidInputError
from orchestrator.server.context import ServerContext
from orchestrator.server.http.answers import JsonAnswer
from orchestrator.server.http.bodies import media_type_of
from orchestrator.server.http.documentation import refusals
from orchestrator.server.http.ephemeral import ended_job, ephemeral_job, refusal, stored_result
from orchestrator.server.http.errors import envelope
from orchestrator.server.http.openai_answers import OpenAiRoute, transcription_answer, typed
from orchestrator.server.http.openai_documentation import transcription_body, transcription_responses
from orchestrator.server.http.openai_request import Asked, AskedByForm
from orchestrator.server.http.openai_stream import streamed
from orchestrator.server.http.parameters import Context, NewJobOwner, Owner
from orchestrator.server.jobs import Job

WORDS, SPEAKERS = "parley", "parley-diarize"
DONE_BY = {WORDS: {"transcription", "orchestrator"}, SPEAKERS: {"diarization", "orchestrator"}}

router = APIRouter(prefix="/v1", tags=["OpenAI"], route_class=OpenAiRoute)


@router.post(
    "/audio/transcriptions",
    response_model=None,
    responses=transcription_responses(),
    openapi_extra=transcription_body(),
)
async def create_transcription(request: Request, context: Context, owner: NewJobOwner) -> Response:
    """Answer the words of a recording; who says them where `diarized_json`, a model or a field asks for speakers."""
    if media_type_of(request) != "multipart/form-data":
        raise InvalidInputError("send a multipart/form-data form with `file` and `model`", param="file")
    form = AskedByForm()
    async with AsyncExitStack() as stack:
        job = await stack.enter_async_context(
            ephemeral_job(request, context, owner=owner, kind="transcription", accept=form.read)
        )
        if form.known.stream:
            return await streamed(request, context, job, form.known, until_sent=stack)
        job = await ended_job(request, context, job)
        failure = refusal(job)
        return await asyncio.to_thread(_answer, context, job, form.known) if failure is None else typed(failure)


@router.get("/models", response_model=None, responses=refusals())
async def models(context: Context, _: Owner) -> Response:
    """Answer the models; the name of one that is asked for tells only whether speakers are wanted."""
    return JsonAnswer({"object": "list", "data": list(_models(context).values())})


@router.get("/models/{model}", response_model=None, responses=refusals(404))
async def model(model: str, context: Context, _: Owner) -> Response:
    """Answer one model."""
    found = _models(context).get(model)
    return _no_model(_models(context)) if found is None else JsonAnswer(found)


def _answer(context: ServerContext, job: Job, asked: Asked) -> Response:
    return transcription_answer(json.loads(stored_result(context, job)), asked)


def _no_model(known: Iterable[str]) -> Response:
    message = f"there is no such model, but {' and '.join(known)}"
    error = {"code": "model_not_found", "message": message, "param": "model", "retryable": False}
    return typed(envelope(error, status=404))


def _models(context: ServerContext) -> Mapping[str, dict[str, Any]]:
    configured = context.runner.backend.models
    return {
        name: {"id": name, "object": "model", "created": 0, "owned_by": "parley", "models": dict(configured)}
        for name, kinds in DONE_BY.items()
        if kinds & configured.keys()
    }
