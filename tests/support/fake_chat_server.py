"""An OpenAI-compatible chat endpoint on loopback, which answers what a test says."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

Reply = Callable[[dict[str, Any]], web.StreamResponse]


class ChatServer:
    """Answers by the `replies`, the last one repeated; a reply of None never comes. What was asked is kept."""

    def __init__(self, *replies: Reply | None) -> None:
        self.replies = list(replies)
        self.asked: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.other_paths: list[str] = []
        self.url = ""
        self.over = asyncio.Event()

    async def chat(self, request: web.Request) -> web.StreamResponse:
        self.headers.append(dict(request.headers))
        self.asked.append(await request.json())
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        if reply is None:
            await self.over.wait()
            return web.Response(status=503)
        return reply(self.asked[-1])

    async def elsewhere(self, request: web.Request) -> web.StreamResponse:
        self.other_paths.append(request.path)
        return web.Response(text="404 page not found", status=404)


@asynccontextmanager
async def chat_server(*replies: Reply | None) -> AsyncIterator[ChatServer]:
    server = ChatServer(*replies)
    app = web.Application()
    app.router.add_post("/v1/chat/completions", server.chat)
    app.router.add_route("*", "/{tail:.*}", server.elsewhere)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    try:
        yield server
    finally:
        server.over.set()
        await runner.cleanup()


def completion(content: str | None, *, model: str = "llama3.2") -> dict[str, Any]:
    """Return a chat completion as OpenAI and Ollama write it."""
    message = {"role": "assistant", "content": content, "refusal": None}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_760_000_000,
        "model": model,
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    }


def says(content: str | None) -> Reply:
    return lambda request: web.json_response(completion(content, model=request["model"]))


def names(**by_label: object) -> Reply:
    return says(json.dumps(by_label))


def refuses(message: str, *, status: int = 400) -> Reply:
    return lambda request: web.json_response({"error": {"message": message}}, status=status)


def gives(body: bytes, *, status: int = 200, **headers: str) -> Reply:
    return lambda request: web.Response(body=body, status=status, headers=headers)
