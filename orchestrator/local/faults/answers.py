"""Faults of the way: late, lost, wrong and broken answers."""

import asyncio
from dataclasses import dataclass

from aiohttp import web

from orchestrator.local.faults.call import Call


@dataclass(frozen=True, slots=True, kw_only=True)
class Delay:
    """The request is handled, or answered, `seconds` late."""

    seconds: float
    after: bool = False
    name: str = "delay"

    async def strike(self, _: Call) -> None:
        """Wait."""
        await asyncio.sleep(self.seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Drop:
    """The connection ends without an answer."""

    after: bool

    @property
    def name(self) -> str:
        """Return what the record says."""
        return "drop_after" if self.after else "drop_before"

    async def strike(self, call: Call) -> web.Response:
        """Hang up."""
        return call.hang_up()


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Another answer than the handler's; `retry_after` is seconds or an HTTP date."""

    status: int
    text: str = '{"error": "a scripted fault"}'
    content_type: str = "application/json"
    retry_after: str | None = None
    after: bool = False

    @property
    def name(self) -> str:
        """Return what the record says."""
        return f"answer_{self.status}" if self.content_type == "application/json" else f"page_{self.status}"

    async def strike(self, _: Call) -> web.Response:
        """Return the answer."""
        headers = {} if self.retry_after is None else {"Retry-After": self.retry_after}
        return web.Response(status=self.status, text=self.text, content_type=self.content_type, headers=headers)


def html_page(*, status: int = 200, after: bool = False) -> Answer:
    """Return the fault of a proxy that answers with a page for people."""
    text = "<!doctype html><title>Just a moment</title><p>Checking your browser"
    return Answer(status=status, text=text, content_type="text/html", after=after)


@dataclass(frozen=True, slots=True, kw_only=True)
class HalfBody:
    """The answer promises its whole length and ends in the middle."""

    after: bool = True
    name: str = "half_body"

    async def strike(self, call: Call) -> web.StreamResponse | None:
        """Send the first half and hang up."""
        whole, request = call.response, call.request
        if not isinstance(whole, web.Response) or not isinstance(whole.body, bytes) or request.transport is None:
            return None
        half = web.StreamResponse(status=whole.status, headers={"Content-Type": whole.content_type})
        half.content_length = len(whole.body)
        await half.prepare(request)
        await half.write(whole.body[: len(whole.body) // 2])
        request.transport.close()  # what was written still goes out
        return half
