"""Faults of order: requests that arrive twice, progress that arrives after the result."""

from dataclasses import dataclass, field

import aiohttp
from aiohttp import web

from orchestrator.local.faults.call import Call
from orchestrator.local.http_support import parse_object, read_body

REPLAY_HEADER = "Parley-Fault-Replay"  # marks a request which a fault itself sends, and which no fault strikes
HOP_HEADERS = {"host", "content-length", "transfer-encoding", "connection", "date", "server"}
MAX_BODY_BYTES = 64 * 1024 * 1024
BODY_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Twice:
    """The request arrives twice, the second after the first; its sender gets the second answer."""

    after: bool = False
    name: str = "twice"

    async def strike(self, call: Call) -> web.Response:
        """Send it twice."""
        body = await _body(call.request)
        await _send_on(call.request, body)
        return await _send_on(call.request, body)


@dataclass(frozen=True, slots=True, kw_only=True)
class LateProgress:
    """At `job-done`: progress is held back, and let in after the result of its job."""

    after: bool = False
    name: str = "late_progress"
    held: dict[str, list[bytes]] = field(default_factory=dict)

    async def strike(self, call: Call) -> web.Response:
        """Hold progress back; send a result on, then the progress held back for it."""
        body, path = await _body(call.request), call.request.path
        if parse_object(body).get("status") == "IN_PROGRESS":
            self.held.setdefault(path, []).append(body)
            return web.json_response({"accepted": True})
        answer = await _send_on(call.request, body)
        for progress in self.held.pop(path, ()):
            await _send_on(call.request, progress)
        return answer


async def _body(request: web.Request) -> bytes:
    return await read_body(request, max_bytes=MAX_BODY_BYTES, timeout_s=BODY_TIMEOUT_S)


async def _send_on(request: web.Request, body: bytes) -> web.Response:
    headers = {name: value for name, value in request.headers.items() if name.lower() not in HOP_HEADERS}
    async with (
        aiohttp.ClientSession() as session,
        session.post(request.url, data=body, headers={**headers, REPLAY_HEADER: "1"}) as answer,
    ):
        kept = {name: value for name, value in answer.headers.items() if name.lower() not in HOP_HEADERS}
        return web.Response(status=answer.status, body=await answer.read(), headers=kept)
