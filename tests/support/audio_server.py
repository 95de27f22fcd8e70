"""HTTP servers on loopback that give, withhold or mangle audio."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import web

Reply = Callable[[web.Request], Awaitable[web.StreamResponse]]


class AudioServer:
    """What each path answers, and the raw paths and headers that were asked."""

    def __init__(self, replies: dict[str, Reply]) -> None:
        self.replies = replies
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.url = ""
        self.port = 0

    async def reply(self, request: web.Request) -> web.StreamResponse:
        self.asked.append((request.raw_path, dict(request.headers)))
        return await self.replies[request.path](request)


@asynccontextmanager
async def audio_server(replies: dict[str, Reply], *, host: str = "127.0.0.1", port: int = 0):
    server = AudioServer(replies)
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", server.reply)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, host, port)
    await site.start()
    server.port = runner.addresses[0][1]
    server.url = f"http://{host}:{server.port}"
    try:
        yield server
    finally:
        await runner.cleanup()


@asynccontextmanager
async def raw_server(answer: bytes, *, hold: bool = False) -> AsyncIterator[str]:
    """Send `answer` to whoever connects, then close, or with `hold` keep silent until the test ends."""
    over = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        if hold:
            await over.wait()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/audio"
    finally:
        over.set()
        server.close()
        await server.wait_closed()


def body(data: bytes, **headers: str) -> Reply:
    async def reply(request: web.Request) -> web.StreamResponse:
        return web.Response(body=data, headers=headers)

    return reply


def status(code: int, **headers: str) -> Reply:
    async def reply(request: web.Request) -> web.StreamResponse:
        return web.Response(status=code, headers=headers)

    return reply


def chunked(total_bytes: int, *, piece: bytes = bytes(64 * 1024)) -> Reply:
    """A body without Content-Length, up to `total_bytes` long."""

    async def reply(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            for _ in range(total_bytes // len(piece)):
                await response.write(piece)
        except ConnectionError:
            pass  # the reader has had enough
        return response

    return reply
