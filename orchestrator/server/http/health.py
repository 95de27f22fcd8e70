"""How the server is, for people and for Prometheus."""

import asyncio
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST

from orchestrator.server.http.access import Caller, access_of, owner_of
from orchestrator.server.http.documentation import refusals
from orchestrator.server.http.gpus import gpus
from orchestrator.server.http.metrics import ServerMetrics
from orchestrator.server.http.parameters import Context
from orchestrator.server.http.schemas import Gpu, Health
from orchestrator.server.version import parley_version

router = APIRouter(tags=["server"])


def _caller(request: Request) -> Caller | None:
    return access_of(request).identify(request)


@router.get("/health", response_model=Health, response_model_exclude_unset=True, responses=refusals())
async def health(caller: Annotated[Caller | None, Depends(_caller)], context: Context) -> Health:
    """Tell that the server is up; those who may use it are told of its jobs, models and GPUs, too."""
    counts = await asyncio.to_thread(context.store.counts)
    if caller is None:
        return Health(status="ok")
    found, told = await asyncio.gather(asyncio.to_thread(gpus), context.runner.health())
    return Health(
        status="ok",
        version=parley_version(),
        device=_device(found),
        gpus=found,
        torch=_installed("torch"),
        models=told["models"],
        workers=told["workers"],
        active_jobs=counts["running"],
        queued_jobs=counts["queued"],
    )


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}, **refusals()},
    dependencies=[Depends(owner_of)],
)
def metrics(request: Request) -> Response:
    """Return counts and times in Prometheus' text format."""
    counted: ServerMetrics = request.app.state.metrics
    return Response(counted.page(), headers={"Content-Type": CONTENT_TYPE_LATEST})


def _device(found: list[Gpu]) -> str:
    if found:
        return "cuda"
    return "mps" if (platform.system(), platform.machine()) == ("Darwin", "arm64") else "cpu"


def _installed(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
