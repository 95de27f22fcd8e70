"""What happens to a job, told as it happens: server-sent events (WHATWG HTML, section 9.2)."""

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from common.errors import ParleyError, RateLimitedError, UnauthorizedError
from orchestrator.server.context import ServerContext
from orchestrator.server.events import Event
from orchestrator.server.http.access import access_of
from orchestrator.server.http.documentation import refusals
from orchestrator.server.http.parameters import Context, JobId, Owner
from orchestrator.server.http.statuses import status_now

HEARTBEAT_S = 15.0  # proxies close connections on which nothing comes for long
STREAMS_OF_ONE = 20
HEARTBEAT = b": still here\n\n"
NAMES = {"completed": "complete"}

EVENT = {
    "type": "object",
    "properties": {
        "event": {"type": "string", "enum": ["status", "partial", "complete", "failed", "cancelled"]},
        "data": {"type": "string", "contentMediaType": "application/json"},
    },
    "required": ["event", "data"],
}

router = APIRouter(tags=["jobs"])


class Streams:
    """The streams that are open, so many at most for one caller; `closing` ends them all."""

    def __init__(self) -> None:
        self.closing = asyncio.Event()
        self._open: Counter[str] = Counter()

    def is_open(self, owner: str) -> bool:
        """Tell whether a caller has a stream."""
        return self._open[owner] > 0

    @contextmanager
    def one(self, owner: str) -> Iterator[None]:
        """Count a stream as long as the block lasts; raises RateLimitedError where there are as many as may be."""
        if self._open[owner] >= STREAMS_OF_ONE:
            raise RateLimitedError(f"{STREAMS_OF_ONE} streams are open; close one first", retry_after_s=HEARTBEAT_S)
        self._open[owner] += 1
        try:
            yield
        finally:
            self._open[owner] -= 1
            self._open += Counter()  # drops what is zero


class EventStream(StreamingResponse):
    """An answer of events, during which `lasting` is held, whether it begins or not."""

    media_type = "text/event-stream"
    lasting = ExitStack()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the events."""
        with self.lasting:
            try:
                await super().__call__(scope, receive, send)
            finally:
                if isinstance(self.body_iterator, AsyncGenerator):
                    await self.body_iterator.aclose()


@router.get(
    "/api/events/{job_id}",
    response_class=EventStream,
    responses={
        200: {
            "description": "`status`, `partial`, and at last `complete`, `failed` or `cancelled`",
            "content": {"text/event-stream": {"schema": EVENT}},
        },
        **refusals(404),
    },
)
async def events(job_id: JobId, request: Request, owner: Owner, context: Context) -> EventStream:
    """Tell of a job as it goes on, until it has ended."""
    await asyncio.to_thread(context.store.get, job_id, owner=owner)
    streams: Streams = request.app.state.streams
    with ExitStack() as counted:
        counted.enter_context(streams.one(owner))
        told = _told(request, context, job_id, owner)
        answer = EventStream(told, headers={"X-Accel-Buffering": "no"})  # no proxy is to hold it back
        answer.lasting = counted.pop_all()
    return answer


async def _told(request: Request, context: ServerContext, job_id: str, owner: str) -> AsyncGenerator[bytes, None]:
    closing = request.app.state.streams.closing
    async with contextlib.aclosing(_with_heartbeats(context.runner.subscribe(job_id), closing)) as changes:
        # the job is erased, the key revoked, or the store away: who asks again is told
        with contextlib.suppress(ParleyError):
            async for event in changes:
                await asyncio.to_thread(_check_caller, request, owner)
                if event is None:
                    yield HEARTBEAT
                elif event.name == "partial":
                    yield await asyncio.to_thread(_written, event.name, dict(event.data))  # may be megabytes
                else:
                    status = await asyncio.to_thread(status_now, context, job_id, owner=owner)
                    yield _written(NAMES.get(event.name, event.name), status.model_dump(mode="json"))


def _check_caller(request: Request, owner: str) -> None:
    """Raise UnauthorizedError, or as `Access.identify`, for who may not see the owner's jobs any more."""
    caller = access_of(request).identify(request)
    if caller is None or caller.owner != owner:
        raise UnauthorizedError("the key of this stream was revoked, or has expired")


async def _with_heartbeats(changes: AsyncIterator[Event], closing: asyncio.Event) -> AsyncGenerator[Event | None, None]:
    """Yield events, None where none came for a while; end with them, or when the server closes."""
    closed = asyncio.create_task(closing.wait())
    coming: asyncio.Task[Event] | None = None
    try:
        while not closing.is_set():
            coming = coming or asyncio.ensure_future(anext(changes))
            await asyncio.wait({coming, closed}, timeout=HEARTBEAT_S, return_when=asyncio.FIRST_COMPLETED)
            if not coming.done():
                if not closing.is_set():
                    yield None
                continue
            arrived, coming = coming, None
            try:
                event = arrived.result()
            except StopAsyncIteration:
                return
            yield event
    finally:
        await _ended(closed, coming)


async def _ended(*tasks: "asyncio.Task[Any] | None") -> None:
    for task in tasks:
        if task is not None:
            task.cancel()
    await asyncio.gather(*(task for task in tasks if task is not None), return_exceptions=True)


def _written(name: str, data: dict[str, Any]) -> bytes:
    return f"event: {name}\ndata: {json.dumps(data)}\n\n".encode()
