"""The page's own files on loopback, under the policy of the real server, with whatever else a test serves."""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from mimetypes import guess_type
from pathlib import Path
from threading import Thread
from typing import Any

from orchestrator.server.http.security_headers import SECURITY_HEADERS

STATIC = Path(__file__).parents[2] / "orchestrator" / "server" / "static"
BARE_PAGE = """<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>Transcript</title>
    <link rel="icon" href="/static/favicon.svg">
    <script src="/static/theme_first.js"></script>
    <link rel="stylesheet" href="/static/app.css">
    <link rel="stylesheet" href="/static/transcript/transcript.css">
  </head>
  <body>
    <main id="root" class="page"><h1>interview.wav</h1></main>
  </body>
</html>
"""


@dataclass
class PageServer:
    """What is served beside /static: bodies by path, a bytes body as it is, anything else as JSON."""

    url: str
    bodies: dict[str, Any] = field(default_factory=lambda: {"/": BARE_PAGE.encode()})
    types: Mapping[str, str] = field(default_factory=lambda: {"/": "text/html; charset=utf-8"})

    def body(self, path: str) -> bytes | None:
        """Return what is at `path`, None if nothing is."""
        if path.startswith("/static/"):
            file = (STATIC / path.removeprefix("/static/")).resolve()
            return file.read_bytes() if file.is_relative_to(STATIC) and file.is_file() else None
        body = self.bodies.get(path)
        return body if body is None or isinstance(body, bytes) else json.dumps(body).encode()


@contextmanager
def page_server() -> Iterator[PageServer]:
    """Serve until the block ends."""
    http = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    http.daemon_threads = True
    http.pages = PageServer(f"http://127.0.0.1:{http.server_port}")
    thread = Thread(target=http.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield http.pages
    finally:
        http.shutdown()
        thread.join()
        http.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        body = self.server.pages.body(path)
        if body is None:
            self.send_error(404)
            return
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        first, last = (int(wanted[1]), int(wanted[2] or len(body) - 1)) if wanted else (0, len(body) - 1)
        self.send_response(206 if wanted else 200)
        if wanted:
            self.send_header("Content-Range", f"bytes {first}-{last}/{len(body)}")
        self._send(path, body[first : last + 1])

    def _send(self, path: str, body: bytes) -> None:
        kind = self.server.pages.types.get(path) or guess_type(path)[0] or "application/json"
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Accept-Ranges", "bytes")
        for name, value in SECURITY_HEADERS.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Keep quiet: requests are no news."""
