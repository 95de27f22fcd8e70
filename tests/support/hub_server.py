"""A Hugging Face hub on loopback: a few repositories, some of them gated, and what was asked of it."""

import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.support.hub_cache import Files, commit_of, etag, git_hash, is_large

ROUTE = re.compile(
    r"/(?:api/models/(?P<api>[\w.-]+/[\w.-]+)/(?:revision|tree)/(?P<ref>[^/?]+)"
    r"|(?P<repo>[\w.-]+/[\w.-]+)/resolve/(?P<commit>[^/]+)/(?P<file>[^?]+))(?:\?.*)?"
)


class HubServer:
    """`granted` are the tokens by which gated repositories can be read; others get what the hub says to them."""

    def __init__(self, repos: Mapping[str, Files]) -> None:
        self.repos = repos
        self.gated: set[str] = set()
        self.granted: set[str] = set()
        self.faults: dict[str, tuple[int, str]] = {}  # by repository: status and the hub's code of the error
        self.asked: list[tuple[str, str, str]] = []  # repository, token, user agent
        self.url = ""

    def refusal(self, repo_id: str, token: str, *, content: bool) -> tuple[int, str] | None:
        """Return the status and code of an error; what a gated repository has is no secret, only the files are."""
        if repo_id in self.faults:
            return self.faults[repo_id]
        if repo_id not in self.repos:
            return 404, "RepoNotFound"
        if content and repo_id in self.gated and token not in self.granted:
            return (403 if token else 401), "GatedRepo"
        return None


@contextmanager
def hub_server(repos: Mapping[str, Files]) -> Iterator[HubServer]:
    hub = HubServer(repos)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": hub}))
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    hub: HubServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        route = ROUTE.fullmatch(self.path)
        repo_id = (route["api"] or route["repo"]) if route else ""
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        self.hub.asked.append((repo_id, token, self.headers.get("User-Agent", "")))
        refusal = self.hub.refusal(repo_id, token, content=bool(route and route["file"]))
        if refusal is not None:
            self._send(refusal[0], b"{}", {"X-Error-Code": refusal[1]})
        elif route and route["file"]:
            self._send_file(repo_id, route["file"])
        else:
            self._send_json(repo_id, is_tree=f"{repo_id}/tree/" in self.path)

    do_HEAD = do_GET  # noqa: N815 - the name by which http.server finds it

    def _send_file(self, repo_id: str, name: str) -> None:
        data = self.hub.repos[repo_id][name]
        headers = {"ETag": f'"{etag(name, data)}"', "X-Repo-Commit": commit_of(repo_id)}
        self._send(200, data, headers)

    def _send_json(self, repo_id: str, *, is_tree: bool) -> None:
        files = self.hub.repos[repo_id]
        info = {"id": repo_id, "sha": commit_of(repo_id), "siblings": [{"rfilename": name} for name in files]}
        answer = [_entry(name, data) for name, data in files.items()] if is_tree else info
        self._send(200, json.dumps(answer).encode(), {"Content-Type": "application/json"})

    def _send(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Keep the test's output clean."""


def _entry(name: str, data: bytes) -> dict[str, object]:
    entry: dict[str, object] = {"type": "file", "path": name, "size": len(data), "oid": git_hash(data)}
    lfs = {"oid": etag(name, data), "size": len(data), "pointerSize": 130}
    return entry | ({"lfs": lfs} if is_large(name) else {})
