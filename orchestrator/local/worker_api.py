"""The routes that the worker loop of the RunPod SDK calls.

Source: runpod 1.12.0, serverless/modules/rp_job.py, rp_http.py, rp_ping.py.
"""

import asyncio
import json
import secrets
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.typedefs import Handler

from common.errors import EndpointAuthError, EndpointNotFoundError, InputTooLargeError, InvalidInputError
from orchestrator.local.http_support import discard_body, has_key, parse_object, read_body
from orchestrator.local.jobs import Job
from orchestrator.local.queue import EndpointQueue
from orchestrator.local.settings import PlatformSettings

DRAIN_PAUSE_S = 0.1  # a worker that has not yet noticed its SIGTERM asks again at once


class WorkerApi:
    """Hand out jobs and stop signals, take in results."""

    def __init__(self, queues: Mapping[str, EndpointQueue], settings: PlatformSettings, *, key: str) -> None:
        self._queues = queues
        self._settings = settings
        self._key = key

    def app(self) -> web.Application:
        """Return the routes below `/worker`."""
        app = web.Application(middlewares=[self._authorize])
        app.router.add_get("/{endpoint}/job-take/{worker}", self.take_one)
        app.router.add_get("/{endpoint}/job-take-batch/{worker}", self.take_batch)
        app.router.add_get("/{endpoint}/job-stop/{worker}", self.stop)
        app.router.add_post("/{endpoint}/job-done/{worker}/{job}", self.done)
        app.router.add_post("/{endpoint}/job-stream/{worker}/{job}", self.stream)
        app.router.add_get("/{endpoint}/ping/{worker}", self.ping)
        return app

    async def take_one(self, request: web.Request) -> web.StreamResponse:
        """Hold the request until there is a job; 204 when none came."""
        return await self._take(request, count=1, body_of=lambda jobs: _for_worker(jobs[0]))

    async def take_batch(self, request: web.Request) -> web.StreamResponse:
        """Hold the request until there is at least one job, answer with up to `batch_size`."""
        text = request.query.get("batch_size", "1")
        count = int(text) if text.isascii() and text.isdigit() and len(text) < 9 else 1
        return await self._take(request, count=max(count, 1), body_of=lambda jobs: [_for_worker(job) for job in jobs])

    async def stop(self, request: web.Request) -> web.StreamResponse:
        """Hold the request until a job of this worker is to be stopped; 204 when none was."""
        queue, worker_id, _ = self._names(request)
        job_ids = await queue.next_stops(
            worker_id, hold_s=self._settings.poll_hold_s, connected=partial(_is_connected, request)
        )
        if not job_ids:
            return await self._nothing(request)
        tell_again = partial(queue.tell_stops_again, worker_id, job_ids)
        return Delivery({"jobsToStop": job_ids}, undo=tell_again)

    async def done(self, request: web.Request) -> web.Response:
        """Take in a result or a progress update; one for a job that the worker does not own is ignored."""
        queue, worker_id, job_id = self._names(request)
        body, size_bytes = await self._read_result(request)
        if body is None:
            accepted = False
        elif body.get("status") == "IN_PROGRESS":
            accepted = queue.progress(worker_id, job_id, body.get("output"))
        else:
            error = _error_text(body.get("error"))
            accepted = queue.finish(worker_id, job_id, output=body.get("output"), error=error, size_bytes=size_bytes)
        return web.json_response({"accepted": accepted})

    async def stream(self, request: web.Request) -> web.Response:
        """Take in one partial result."""
        queue, worker_id, job_id = self._names(request)
        body, size_bytes = await self._read_result(request)
        accepted = body is not None and queue.stream(
            worker_id, job_id, {"output": body.get("output")}, size_bytes=size_bytes
        )
        return web.json_response({"accepted": accepted})

    async def ping(self, request: web.Request) -> web.Response:
        """Take note that the worker lives, and of the jobs it says it runs."""
        queue, worker_id, _ = self._names(request)
        job_ids = [job_id for job_id in request.query.get("job_id", "").split(",") if job_id]
        queue.ping(worker_id, job_ids, unhealthy=request.query.get("status") == "unhealthy")
        return web.json_response({})

    @web.middleware
    async def _authorize(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        # the SDK sends the key of ~/.runpod/config.toml instead, where that file exists: hence also `token`
        token = request.query.get("token", "")
        if not (has_key(request, self._key) or secrets.compare_digest(token.encode(), self._key.encode())):
            raise EndpointAuthError("unauthorized: this is no worker of this platform", endpoint="")
        return await handler(request)

    def _names(self, request: web.Request) -> tuple[EndpointQueue, str, str]:
        endpoint_id = request.match_info["endpoint"]
        if endpoint_id not in self._queues:
            raise EndpointNotFoundError("this endpoint does not exist", endpoint=endpoint_id)
        return self._queues[endpoint_id], request.match_info["worker"], request.match_info.get("job", "")

    async def _take(
        self, request: web.Request, *, count: int, body_of: Callable[[list[Job]], object]
    ) -> web.StreamResponse:
        queue, worker_id, _ = self._names(request)
        jobs = await queue.take(
            worker_id,
            count=count,
            busy=request.query.get("job_in_progress") == "1",
            hold_s=self._settings.poll_hold_s,
            connected=partial(_is_connected, request),
        )
        if not jobs:
            return await self._nothing(request)
        return Delivery(body_of(jobs), undo=partial(queue.give_back, worker_id, jobs))

    async def _nothing(self, request: web.Request) -> web.Response:
        queue, worker_id, _ = self._names(request)
        worker = queue.roster.get(worker_id)
        if worker is None or worker.draining:
            await asyncio.sleep(DRAIN_PAUSE_S)
        return web.Response(status=204)

    async def _read_result(self, request: web.Request) -> tuple[dict[str, Any] | None, int]:
        """Return the posted object and its bytes; None after failing the job for one that cannot be used."""
        queue, worker_id, job_id = self._names(request)
        limits = self._settings
        try:
            raw = await read_body(request, max_bytes=limits.result_max_bytes, timeout_s=limits.body_timeout_s)
            return parse_object(raw), len(raw)
        except InputTooLargeError:
            if job := queue.owned(worker_id, job_id):
                queue.fail_oversize(job)
            await discard_body(request)
        except InvalidInputError:
            if job := queue.owned(worker_id, job_id):
                queue.fail(job, "engine_failed", "the worker's result is not valid JSON; there may be a NaN in it")
        return None, 0


def _is_connected(request: web.Request) -> bool:
    return request.transport is not None and not request.transport.is_closing()


class Delivery(web.Response):
    """An answer that has taken something from the queue, which takes it back by `undo` when the worker has hung up."""

    def __init__(self, body: object, *, undo: Callable[[], None]) -> None:
        super().__init__(text=json.dumps(body), content_type="application/json")
        self._undo = undo

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Send the headers."""
        try:
            return await super().prepare(request)
        except (ConnectionError, asyncio.CancelledError):
            self._undo()
            raise

    async def write_eof(self, data: bytes = b"") -> None:
        """Send the body."""
        try:
            await super().write_eof(data)
        except (ConnectionError, asyncio.CancelledError):
            self._undo()
            raise


def _for_worker(job: Job) -> dict[str, Any]:
    body: dict[str, Any] = {"id": job.id, "input": job.input}
    if job.conditions.s3_config is not None:
        body["s3Config"] = job.conditions.s3_config
    return body


def _error_text(error: object) -> str | None:
    if not error:
        return None
    return error if isinstance(error, str) else json.dumps(error)
