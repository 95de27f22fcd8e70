"""A worker of the real RunPod SDK whose input says what it is to do; run as a program."""

import asyncio
import os
import signal
import sys
import time
from typing import Any

import runpod
from runpod.http_client import AsyncClientSession
from runpod.serverless.modules.rp_http import send_result


async def handler(job: dict[str, Any]) -> Any:
    action, given = next(iter(job["input"].items()))
    return await ACTIONS[action](job, given)


async def echo(job: dict[str, Any], given: Any) -> Any:
    return {"echo": given, "s3": job.get("s3Config")}


async def value(job: dict[str, Any], given: Any) -> Any:
    return given


async def sleep(job: dict[str, Any], seconds: float) -> Any:
    started = time.monotonic()
    try:
        await asyncio.sleep(seconds)
    except asyncio.CancelledError:
        EVENTS.append(f"cancelled {job['id']}")
        raise
    return {"slept": round(time.monotonic() - started) if seconds >= 1 else 0}


async def events(job: dict[str, Any], given: Any) -> Any:
    return {"events": list(EVENTS), "pid": os.getpid()}


async def fail(job: dict[str, Any], message: str) -> Any:
    return {"error": message}


async def crash(job: dict[str, Any], message: str) -> Any:
    raise RuntimeError(message)


async def progress(job: dict[str, Any], steps: list[Any]) -> Any:
    async with AsyncClientSession() as session:
        for step in steps:
            await send_result(session, {"status": "IN_PROGRESS", "output": step}, job)
            await asyncio.sleep(0.3)
    return {"steps": len(steps)}


async def late_progress(job: dict[str, Any], given: Any) -> Any:
    async def post() -> None:
        await asyncio.sleep(0.3)
        async with AsyncClientSession() as session:
            await send_result(session, {"status": "IN_PROGRESS", "output": "late"}, job)
        EVENTS.append(f"posted late {job['id']}")

    TASKS.append(asyncio.create_task(post()))
    return {"result": given}


async def big(job: dict[str, Any], size_bytes: int) -> Any:
    return {"text": "x" * size_bytes}


async def not_json(job: dict[str, Any], given: Any) -> Any:
    return {"value": float("nan") if given == "nan" else object()}


async def die(job: dict[str, Any], given: Any) -> Any:
    os.kill(os.getpid(), signal.SIGKILL)


async def block(job: dict[str, Any], seconds: float) -> Any:
    time.sleep(seconds)  # noqa: ASYNC251 - what a careless handler does


async def stream(job: dict[str, Any]) -> Any:
    for chunk in job["input"]["chunks"]:
        yield chunk


EVENTS: list[str] = []
TASKS: list[asyncio.Task[None]] = []
ACTIONS = {
    "echo": echo,
    "value": value,
    "sleep": sleep,
    "events": events,
    "fail": fail,
    "crash": crash,
    "progress": progress,
    "late_progress": late_progress,
    "big": big,
    "not_json": not_json,
    "die": die,
    "block": block,
}

if __name__ == "__main__":
    if sys.argv[1:] == ["stream"]:
        del sys.argv[1:]
        runpod.serverless.start({"handler": stream, "return_aggregate_stream": True})
    else:
        runpod.serverless.start({"handler": handler})
