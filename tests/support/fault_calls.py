"""Calls at the local platform's routes that a fault script may strike, without sockets."""

from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from orchestrator.local.faults import FaultScript
from orchestrator.local.queue import EndpointQueue
from orchestrator.local.settings import PlatformSettings

QUEUES = {name: EndpointQueue(name, PlatformSettings()) for name in ("jobs", "others")}


async def call_route(script: FaultScript, endpoint: str, route: str) -> web.StreamResponse:
    """Return what a caller of the route gets whose handler answers 200."""

    async def handler(request: web.Request) -> web.StreamResponse:
        return web.json_response({})

    app = web.Application()
    app.router.add_get("/v2/{endpoint}/" + route, handler)
    request = make_mocked_request("GET", f"/v2/{endpoint}/{route}")
    match = await app.router.resolve(request)
    request._match_info = match
    match.add_app(app)
    match.freeze()
    return await script.middleware(QUEUES)(request, handler)
