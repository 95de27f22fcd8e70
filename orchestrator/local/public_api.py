"""The routes that callers use: RunPod's `/v2/{endpoint}/…`."""

from collections.abc import Mapping

from aiohttp import web
from aiohttp.typedefs import Handler

from common.errors import EndpointAuthError, EndpointNotFoundError, InvalidInputError
from orchestrator.endpoint_http import KEY_HEADER, REPLAYED_HEADER
from orchestrator.local.http_support import has_key, parse_object, read_body
from orchestrator.local.idempotency import checked_key, sent_key
from orchestrator.local.jobs import Job
from orchestrator.local.queue import EndpointQueue
from orchestrator.local.settings import PlatformSettings
from orchestrator.local.submission import new_job


class PublicApi:
    """Submit, watch and cancel jobs."""

    def __init__(self, queues: Mapping[str, EndpointQueue], settings: PlatformSettings) -> None:
        self._queues = queues
        self._settings = settings

    def app(self) -> web.Application:
        """Return the routes below `/v2`."""
        app = web.Application(middlewares=[self._authorize])
        one = "/{endpoint}/"
        app.router.add_post(one + "run", self.run)
        app.router.add_post(one + "runsync", self.runsync)
        app.router.add_post(one + "purge-queue", self.purge)
        app.router.add_get(one + "health", self.health)
        app.router.add_get(one + "idempotency/{key:.+}", self.by_key)
        app.router.add_post(one + "cancel/{job}", self.cancel)
        app.router.add_post(one + "retry/{job}", self.retry)
        for method in ("GET", "POST"):
            app.router.add_route(method, one + "status/{job}", self.status)
            app.router.add_route(method, one + "stream/{job}", self.stream)
        return app

    async def run(self, request: web.Request) -> web.Response:
        """Queue a job and answer at once."""
        job, headers = await self._submit(request, is_sync=False)
        return web.json_response({"id": job.id, "status": job.state.value}, headers=headers)

    async def runsync(self, request: web.Request) -> web.Response:
        """Queue a job and answer when it has ended, or with its state after `?wait=` ms."""
        settings = self._settings
        wait_s = _wait_s(request, default_s=settings.runsync_wait_s, bounds_s=settings.runsync_wait_bounds_s)
        job, headers = await self._submit(request, is_sync=True)
        await self._queue(request).wait_final(job, timeout_s=wait_s)
        return web.json_response(job.view(), headers=headers)

    async def status(self, request: web.Request) -> web.Response:
        """Tell what is known of a job, at once, or when it has ended or `?wait=` ms are over."""
        wait_s = _wait_s(request, default_s=0.0, bounds_s=self._settings.status_wait_bounds_s)
        job = self._job(request)
        await self._queue(request).wait_final(job, timeout_s=wait_s)
        return web.json_response(job.view())

    async def by_key(self, request: web.Request) -> web.Response:
        """Tell what is known of the latest job under an idempotency key; the key's header says that keys are known."""
        queue, key = self._queue(request), checked_key(request.match_info["key"])
        headers = {KEY_HEADER: key}
        try:
            return web.json_response(queue.with_key(key).view(), headers=headers)
        except EndpointNotFoundError:
            return web.json_response({"error": "no job with this key is known"}, status=404, headers=headers)

    async def stream(self, request: web.Request) -> web.Response:
        """Hand out the partial results that have come in since the last call."""
        job = self._job(request)
        chunks = self._queue(request).read_stream(job)
        return web.json_response({"id": job.id, "status": job.state.value, "stream": chunks})

    async def cancel(self, request: web.Request) -> web.Response:
        """Cancel a job that has not ended."""
        job = self._queue(request).cancel(request.match_info["job"])
        return web.json_response({"id": job.id, "status": job.state.value})

    async def retry(self, request: web.Request) -> web.Response:
        """Queue a failed job again."""
        job = self._queue(request).retry(request.match_info["job"])
        return web.json_response({"id": job.id, "status": job.state.value})

    async def purge(self, request: web.Request) -> web.Response:
        """Cancel everything that waits."""
        return web.json_response({"removed": self._queue(request).purge(), "status": "completed"})

    async def health(self, request: web.Request) -> web.Response:
        """Count jobs and workers."""
        return web.json_response(self._queue(request).health())

    @web.middleware
    async def _authorize(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        key = self._settings.api_key
        if key is not None and not has_key(request, key):
            raise EndpointAuthError("unauthorized: send the API key as a bearer token", endpoint="")
        return await handler(request)

    def _queue(self, request: web.Request) -> EndpointQueue:
        endpoint_id = request.match_info["endpoint"]
        if endpoint_id not in self._queues:
            raise EndpointNotFoundError("this endpoint does not exist; check its id", endpoint=endpoint_id)
        return self._queues[endpoint_id]

    def _job(self, request: web.Request) -> Job:
        return self._queue(request).get(request.match_info["job"])

    async def _submit(self, request: web.Request, *, is_sync: bool) -> tuple[Job, dict[str, str]]:
        """Return the job, new or that of the request's idempotency key, and the headers that tell of key and job."""
        queue, limits = self._queue(request), self._settings
        max_bytes = limits.runsync_max_bytes if is_sync else limits.run_max_bytes
        key = sent_key(request)
        body = await read_body(request, max_bytes=max_bytes, timeout_s=limits.body_timeout_s)
        # nothing is awaited from here on, so that of two duplicates one finds the other
        new = new_job(parse_object(body), limits, is_sync=is_sync, size_bytes=len(body), now=queue.clock(), key=key)
        job = queue.submit(new)
        headers = {} if key is None else {KEY_HEADER: key}
        return job, headers if job is new else {**headers, REPLAYED_HEADER: "true"}


def _wait_s(request: web.Request, *, default_s: float, bounds_s: tuple[float, float]) -> float:
    low_s, high_s = bounds_s
    text = request.query.get("wait")
    if text is None:
        return default_s
    if not (text.isascii() and text.isdigit() and len(text) < 9 and low_s <= int(text) / 1000 <= high_s):
        raise InvalidInputError(f"wait must be from {low_s * 1000:.0f} to {high_s * 1000:.0f} ms", param="wait")
    return int(text) / 1000
