"""Signing in on the page: an API key becomes a cookie that scripts cannot read and other sites cannot use."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from common.errors import InvalidInputError
from orchestrator.server.backends import RunPodBackend
from orchestrator.server.http.access import COOKIE, COOKIE_S, Caller, access_of
from orchestrator.server.http.bodies import read_object
from orchestrator.server.http.documentation import json_body, refusals
from orchestrator.server.http.parameters import Context
from orchestrator.server.http.schemas import Session
from orchestrator.server.version import parley_version

MAX_BYTES = 4096
BODY = {
    "type": "object",
    "properties": {"key": {"type": "string"}},
    "required": ["key"],
    "additionalProperties": False,
}

router = APIRouter(tags=["session"])


def _caller(request: Request) -> Caller | None:
    return access_of(request).identify(request)


MaybeCaller = Annotated[Caller | None, Depends(_caller)]


@router.get("/api/session", response_model=Session, responses=refusals())
def session(request: Request, caller: MaybeCaller, context: Context) -> Session:
    """Tell whether a key is asked for, and who is signed in."""
    return Session(
        key_required=access_of(request).needs_key(),
        signed_in=caller is not None,
        name=None if caller is None else caller.name,
        max_upload_bytes=context.settings.limits.max_download_bytes,
        version=None if caller is None else parley_version(),
        models=None if caller is None else dict(context.runner.backend.models),
        own_workers=None if caller is None else not isinstance(context.runner.backend, RunPodBackend),
    )


@router.post(
    "/api/session",
    status_code=204,
    response_class=Response,
    responses=refusals(413, 415),
    openapi_extra=json_body(BODY),
)
async def sign_in(request: Request) -> Response:
    """Exchange an API key for a cookie."""
    access = access_of(request)
    access.check_site(request)
    given = await read_object(request, max_bytes=MAX_BYTES)
    key = given.get("key")
    if not isinstance(key, str) or given.keys() != {"key"}:
        raise InvalidInputError('send {"key": "parley_…"}', param="key")
    record = await asyncio.to_thread(access.by_key, request, key)
    response = Response(status_code=204)
    response.set_cookie(
        COOKIE,
        access.cookie_for(record),
        max_age=COOKIE_S,
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return response


@router.delete("/api/session", status_code=204, response_class=Response, responses=refusals())
async def sign_out(request: Request) -> Response:
    """Forget who is signed in."""
    access_of(request).check_site(request)
    response = Response(status_code=204)
    response.delete_cookie(COOKIE, httponly=True, samesite="strict", secure=request.url.scheme == "https")
    return response
