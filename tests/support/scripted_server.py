"""An HTTP server on loopback that answers from a script, for tests of clients."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web


class Script:
    """Answers per path, the last one repeated: a status, a JSON object, or bytes; what was asked is kept.

    An answer `(status, body, headers)` has headers of its own. `honours_keys` adds the sent idempotency key to the
    others, as the local platform does.
    """

    def __init__(self, answers: dict[str, list[Any]], *, honours_keys: bool = False) -> None:
        self.answers = {path: list(replies) for path, replies in answers.items()}
        self.honours_keys = honours_keys
        self.queries: list[str] = []
        self.sent_keys: list[str] = []
        self.asked: list[tuple[str, Any]] = []
        self.keys: set[str | None] = set()
        self.url = ""

    def count(self, path: str) -> int:
        return sum(asked == path for asked, _ in self.asked)

    async def reply(self, request: web.Request) -> web.StreamResponse:
        path = request.path.removeprefix("/v2/endpoint/")
        if path.startswith("idempotency/"):
            path = "idempotency"
        self.queries.append(request.query_string)
        if key := request.headers.get("Idempotency-Key"):
            self.sent_keys.append(key)
        self.asked.append((path, await request.json() if request.can_read_body else None))
        self.keys.add(request.headers.get("Authorization"))
        replies = self.answers.get(path, [404])
        answer = replies.pop(0) if len(replies) > 1 else replies[0]
        headers = {"Idempotency-Key": "any"} if self.honours_keys else {}
        if isinstance(answer, tuple):
            status, body, own = answer
            return web.json_response(body, status=status, headers={**headers, **own})
        if isinstance(answer, int):
            return web.json_response({"error": "scripted"}, status=answer, headers=headers)
        if isinstance(answer, bytes):
            return web.Response(body=answer, content_type="text/html", headers=headers)
        return web.json_response(answer, headers=headers)


@asynccontextmanager
async def scripted_server(answers: dict[str, list[Any]], *, honours_keys: bool = False) -> AsyncIterator[Script]:
    script = Script(answers, honours_keys=honours_keys)
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", script.reply)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    script.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v2"
    try:
        yield script
    finally:
        await runner.cleanup()
