"""RunPod's REST API v2 on a real socket: serverless endpoints, requests checked by its documented form, with faults."""

import asyncio
import contextlib
import itertools
import json
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from aiohttp import web
from jsonschema import Draft202012Validator

KEY = "rpa_FAKEKEY0123456789"
SCHEMA = json.loads(
    (Path(__file__).parents[1] / "fixtures" / "runpod_api" / "serverless.schema.json").read_text(encoding="utf-8")
)
DEFAULTS: dict[str, Any] = {
    "args": "", "disk": 20, "ports": [], "registry": None, "dataCenterIds": [], "networkVolumes": [],
    "timeout": 300_000, "flashboot": "OFF", "createdAt": "2026-06-01T12:00:00Z",
}  # fmt: skip


@dataclass
class FakeRunPod:
    """An account: its endpoints, what was asked, and the faults that the next requests of a method meet.

    A fault is a status, or `cut` (done, then no answer), `mute` (done, and an empty answer) or `lost` (not done, and no
    answer). `listing` is answered in place of the list of endpoints. `cpus` is what comes of a request for CPUs: they
    are `made`, it is `refused` (a change, too), or an endpoint with `gpus` is made, though the answer has CPUs.
    A request to make an endpoint that is `late` breaks off, and the third list after it has the endpoint. With `hold`,
    the answer to the request of that number to make one never comes; `held` tells when it is waited for.
    """

    quota: int = 10
    cpus: Literal["made", "refused", "gpus"] = "made"
    page_size: int = 100
    endpoints: dict[str, dict[str, Any]] = field(default_factory=dict)
    asked: list[tuple[str, Any]] = field(default_factory=list)
    faults: dict[str, deque[str | int]] = field(default_factory=dict)
    listing: dict[str, Any] | None = None
    hold: int = 0
    held: asyncio.Event = field(default_factory=asyncio.Event)
    over: asyncio.Event = field(default_factory=asyncio.Event)
    late: tuple[int, dict[str, Any]] | None = None  # lists to come before it is there, and what was asked for
    url: str = ""
    numbers: Any = field(default_factory=lambda: itertools.count(1))

    def there(self, name: str) -> dict[str, Any]:
        (endpoint,) = (one for one in self.endpoints.values() if one["name"] == name)
        return endpoint

    def writes(self) -> list[str]:
        return [method for method, _ in self.asked if method != "GET"]

    @web.middleware
    async def guarded(self, request: web.Request, handler: Any) -> web.StreamResponse:
        body = await request.json() if request.can_read_body else None
        self.asked.append((request.method, body))
        if request.headers.get("Authorization") != f"Bearer {KEY}":
            return problem(401, "invalid api key")
        fault = self.faults[request.method].popleft() if self.faults.get(request.method) else None
        if isinstance(fault, int) and fault:  # 0 is none
            return problem(fault, f"out of order for {body and body.get('env')}", {"Retry-After": "0"})
        if fault in ("lost", "late"):
            self.late = (3, body) if fault == "late" else None
            request.transport.close()
            return web.Response()
        if self.writes().count("POST") == self.hold > 0:
            self.held.set()
            await self.over.wait()
        answer = await handler(request)
        if fault == "cut":
            request.transport.close()
        return web.json_response({}) if fault == "mute" else answer

    async def listed(self, request: web.Request) -> web.Response:
        if self.listing is not None:
            return web.json_response(self.listing)
        if self.late:
            self.late = (self.late[0] - 1, self.late[1])
            if not self.late[0]:
                self.make(self.late[1])
        start = int(request.query.get("cursor", "0"))
        end = start + self.page_size
        more = end < len(self.endpoints)
        page = list(self.endpoints.values())[start:end]
        return web.json_response(
            {"endpoints": page, "pagination": {"hasNextPage": more, "nextCursor": str(end) if more else None}}
        )

    async def told(self, request: web.Request) -> web.Response:
        endpoint = self.endpoints.get(request.match_info["id"])
        return problem(404, "resource not found") if endpoint is None else web.json_response(endpoint)

    async def create(self, request: web.Request) -> web.Response:
        body = await request.json()
        if refusal := refused(body, "CreateEndpointRequest") or self.above_quota(body):
            return refusal
        if ("gpu" in body) == ("cpu" in body):
            return problem(400, "specify exactly one of gpu or cpu")
        if "cpu" in body and self.cpus == "refused":
            return problem(422, "Request validation failed.", errors=["unexpected property cpu"])
        made = dict(self.make(body))
        if "cpu" in made and self.cpus == "gpus":
            self.endpoints[made["id"]]["gpu"] = as_read({"gpu": {"pools": ["ADA_24"]}})["gpu"]
            del self.endpoints[made["id"]]["cpu"]
        return web.json_response(made, status=201)  # where there are GPUs, too, as if all were well

    def make(self, body: dict[str, Any]) -> dict[str, Any]:
        endpoint_id = f"ep{next(self.numbers)}"
        workers = {"min": 0, "max": 3, "idleTimeout": 10, **body.get("workers", {})}
        made = as_read({**DEFAULTS, "env": {}, **body, "workers": workers, "id": endpoint_id})
        self.endpoints[endpoint_id] = made
        return made

    async def update(self, request: web.Request) -> web.Response:
        body, endpoint = await request.json(), self.endpoints.get(request.match_info["id"])
        if endpoint is None:
            return problem(404, "resource not found")
        if any((kind in body) and (kind not in endpoint) for kind in ("gpu", "cpu")):
            return problem(400, "compute family is immutable")
        if refusal := refused(body, "UpdateEndpointRequest") or self.above_quota({**endpoint, **body}, endpoint["id"]):
            return refusal
        if "cpu" in endpoint and self.cpus == "refused":
            return problem(400, "gpuId(s) is required for a gpu endpoint")
        endpoint |= as_read({**endpoint, **body})
        return web.json_response(endpoint)

    def above_quota(self, body: dict[str, Any], but: str = "") -> web.Response | None:
        others = sum(one["workers"]["max"] for one in self.endpoints.values() if one["id"] != but)
        if others + body.get("workers", {}).get("max", 3) <= self.quota:
            return None
        return problem(400, f"Max workers across all endpoints must not exceed your workers quota ({self.quota}).")


def as_read(endpoint: dict[str, Any]) -> dict[str, Any]:
    """Return an endpoint as it is told: with the memory of CPUs, and all fields of GPUs."""
    read = dict(endpoint)
    if "cpu" in read:
        read["cpu"] = [{**cpu, "memory": cpu["vcpuCount"] * 2} for cpu in read["cpu"]]
    if "gpu" in read:
        read["gpu"] = {"count": 1, "allowedCudaVersions": [], "minCudaVersion": None, **read["gpu"]}
    return read


def refused(body: dict[str, Any], request: str) -> web.Response | None:
    """Return the answer to a body that is not of the documented form, or contradicts itself."""
    schema = {"$ref": f"#/$defs/{request}", "$defs": SCHEMA["$defs"]}
    if errors := [f"{one.json_path}: {one.message}" for one in Draft202012Validator(schema).iter_errors(body)]:
        return problem(422, "Request validation failed.", errors=errors)
    gpu, workers, scaling = (body.get(group, {}) for group in ("gpu", "workers", "scaling"))
    if gpu.get("allowedCudaVersions") and gpu.get("minCudaVersion"):
        return problem(400, "allowedCudaVersions and minCudaVersion are mutually exclusive")
    if scaling.get("type") == "REQUEST_COUNT" and "idleTimeout" in workers:
        return problem(400, "idleTimeout does not apply")
    return None


def problem(
    status: int, detail: str, headers: dict[str, str] | None = None, *, errors: list[str] | None = None
) -> web.Response:
    body = {"title": "Problem", "status": status, "detail": detail}
    if errors:
        body["errors"] = [{"location": "body", "message": error} for error in errors]
    return web.json_response(body, status=status, headers=headers, content_type="application/problem+json")


@contextlib.asynccontextmanager
async def fake_runpod(**state: Any) -> AsyncIterator[FakeRunPod]:
    """Serve an account on loopback."""
    fake = FakeRunPod(**state)
    app = web.Application(middlewares=[fake.guarded])
    app.router.add_get("/v2/serverless", fake.listed)
    app.router.add_post("/v2/serverless", fake.create)
    app.router.add_get("/v2/serverless/{id}", fake.told)
    app.router.add_patch("/v2/serverless/{id}", fake.update)
    runner = web.AppRunner(app, shutdown_timeout=0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    fake.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v2"
    try:
        yield fake
    finally:
        fake.over.set()
        await runner.cleanup()
