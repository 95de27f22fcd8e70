"""A transcription as server-sent events, as OpenAI's clients read them while it is made."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, aclosing
from typing import Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from common.errors import ParleyError
from orchestrator.server.context import ServerContext
from orchestrator.server.http.ephemeral import refusal, stopped, stopping, stored_result, too_late, why_unanswered
from orchestrator.server.http.errors import crash_answer, error_answer
from orchestrator.server.http.openai_answers import stream_events, text_deltas, typed
from orchestrator.server.http.openai_request import Asked
from orchestrator.server.jobs import Job

HEARTBEAT_S = 15.0
WAITING_EVENTS = 64  # that a slow reader has not read yet

logger = logging.getLogger(__name__)

Item = Mapping[str, Any] | Response | None  # an event, the answer of a failure, the end


async def streamed(
    request: Request, context: ServerContext, job: Job, asked: Asked, *, until_sent: AsyncExitStack
) -> Response:
    """Return the answer that tells of the job as it goes on; `until_sent` is closed when it was sent.

    What fails within the first seconds is answered with its own status. Raises ClientDisconnect, ServerStoppingError.
    """
    telling = _Telling(context, job, asked)
    until_sent.push_async_callback(telling.stop)
    first = asyncio.ensure_future(telling.items.get())
    unanswered = asyncio.ensure_future(why_unanswered(request))
    try:
        done, _ = await asyncio.wait({first, unanswered}, timeout=HEARTBEAT_S, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await stopped(unanswered)
    if unanswered in done and not first.done():
        await stopped(first)
        raise unanswered.result()
    if first.done() and isinstance(failure := first.result(), Response):
        return failure
    lines = _lines(first, telling.items, request.app.state.streams.closing)
    return _EventAnswer(lines, until_sent=until_sent.pop_all())


class _EventAnswer(StreamingResponse):
    """Server-sent events, and what is to be closed once they were sent or the caller has gone."""

    media_type = "text/event-stream"

    def __init__(self, lines: AsyncIterator[str], *, until_sent: AsyncExitStack) -> None:
        super().__init__(lines, headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        self._until_sent = until_sent

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._until_sent:
            await super().__call__(scope, receive, send)


class _Telling:
    """Follows a job in a task of its own and puts what is to be said of it into `items`."""

    def __init__(self, context: ServerContext, job: Job, asked: Asked) -> None:
        self.items: asyncio.Queue[Item] = asyncio.Queue(WAITING_EVENTS)
        self._context = context
        self._job = job
        self._asked = asked
        self._sent = ""
        self._task = asyncio.create_task(self._tell())

    async def stop(self) -> None:
        await stopped(self._task)

    async def _tell(self) -> None:
        """Put all events and None after them; not where that is cancelled, for then nobody takes them."""
        limit_s = self._context.settings.endpoints.deadline_s
        try:
            async with asyncio.timeout(limit_s):
                await self._follow()
        except TimeoutError:
            await self.items.put(typed(error_answer(too_late(limit_s)), retry=False))
        except ParleyError as error:
            await self.items.put(typed(error_answer(error)))
        except Exception:  # the boundary of this task: its caller waits for an answer
            logger.exception("stream_crashed")
            await self.items.put(typed(crash_answer()))
        await self.items.put(None)

    async def _follow(self) -> None:
        async with aclosing(self._context.runner.subscribe(self._job.id)) as events:
            async for event in events:
                if event.name == "partial" and event.data.get("kind") == "words" and not self._asked.speakers:
                    await self._put(await asyncio.to_thread(self._deltas, event.data["segments"]))
        job = await asyncio.to_thread(self._context.store.get, self._job.id)
        if (failure := refusal(job)) is not None:
            await self.items.put(typed(failure))
            return
        await self._put(await asyncio.to_thread(self._last_events, job))

    async def _put(self, events: Iterable[Mapping[str, Any]]) -> None:
        for event in events:
            self._sent += event["delta"] if event["type"] == "transcript.text.delta" else ""
            await self.items.put(event)

    def _deltas(self, segments: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
        return list(text_deltas(segments, sent=self._sent))

    def _last_events(self, job: Job) -> list[dict[str, Any]]:
        return list(stream_events(json.loads(stored_result(self._context, job)), self._asked, sent=self._sent))


async def _lines(
    first: "asyncio.Future[Item]", items: "asyncio.Queue[Item]", closing: asyncio.Event
) -> AsyncIterator[str]:
    """Yield the lines of the stream, with a comment where nothing happens for long: proxies close silent ones."""
    waiting: asyncio.Future[Any] = first
    closed: asyncio.Future[Any] = asyncio.ensure_future(closing.wait())
    try:
        while True:
            await asyncio.wait({waiting, closed}, timeout=HEARTBEAT_S, return_when=asyncio.FIRST_COMPLETED)
            if waiting.done():
                if (item := waiting.result()) is None:
                    break
                yield _written(item)
                waiting = asyncio.ensure_future(items.get())
            elif closed.done():
                yield _written(typed(error_answer(stopping())))
                break
            else:
                yield ": still at work\n\n"
        yield "data: [DONE]\n\n"
    finally:
        waiting.cancel()
        closed.cancel()


def _written(item: Mapping[str, Any] | Response) -> str:
    text = bytes(item.body).decode() if isinstance(item, Response) else json.dumps(item, allow_nan=False)
    return f"data: {text}\n\n"
