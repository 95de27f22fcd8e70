"""The web server's HTTP interface by script, with the real page: jobs do what a test says, and it can be away."""

import json
import threading
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from mimetypes import guess_type
from urllib.parse import parse_qs, unquote, urlsplit

from orchestrator.server.http.security_headers import SECURITY_HEADERS
from tests.support.page_server import STATIC
from tests.support.scripted_results import result, status

FINAL = {"completed": "complete", "failed": "failed", "cancelled": "cancelled"}
NOT_SIGNED_IN = {"code": "invalid_api_key", "message": "this server asks for an API key"}
KEPT = {"Cache-Control": "max-age=600"}
NO_JOB = {"code": "job_not_found", "message": "there is no such job"}


class ScriptedSite:
    """What the server knows and was asked; a test changes it, and holds what is sent back with `upload_held`."""

    def __init__(self, url=""):
        self.url = url
        self.key = None
        self.away = False
        self.jobs = {}
        self.uploads = []
        self.upload_errors = []  # status, envelope, headers: of the next ones
        self.upload_held = threading.Event()
        self.upload_held.set()
        self.rediarized = []
        self.asked = []
        self.edits = {}  # version and document by job
        self.owner = "Ada"
        self.own_workers = None
        self._partials = {}
        self._changed = threading.Condition()

    def forget(self):
        """Begin anew, as another server at the same address."""
        self.go_away()
        self.upload_held.set()
        self.__init__(self.url)

    def put(self, job_id, **fields):
        """Add or change a job, and tell those who listen."""
        with self._changed:
            self.jobs[job_id] = {**self.jobs.get(job_id, status(job_id)), **fields}
            self._changed.notify_all()
        return self.jobs[job_id]

    def found(self, job_id, partial):
        """Tell of a partial result."""
        with self._changed:
            self._partials.setdefault(job_id, []).append(partial)
            self._changed.notify_all()

    def go_away(self, *, away=True):
        """Answer nobody from now on, and end what is being told; or be there again."""
        with self._changed:
            self.away = away
            self._changed.notify_all()

    def events(self, job_id):
        """Yield name and data of each event until the job ends or the server is away."""
        told, seen = 0, None
        while not self.away and (job := self.jobs.get(job_id)) is not None:
            partials = self._partials.get(job_id, [])[told:]
            told += len(partials)
            yield from (("partial", partial) for partial in partials)
            if job is not seen:
                yield FINAL.get(job["status"], "status"), job
            if job["status"] in FINAL:
                return
            seen = job
            with self._changed:
                if job is self.jobs.get(job_id) and told == len(self._partials.get(job_id, [])):
                    self._changed.wait(0.2)

    def page(self, asked):
        """Return a page of jobs, newest first."""
        state = asked.get("status", [""])[0]
        jobs = [job for job in reversed(self.jobs.values()) if state in ("", job["status"])]
        first, limit = int(asked.get("cursor", ["0"])[0]), int(asked["limit"][0])
        last = first + limit
        return {"jobs": jobs[first:last], "next_cursor": str(last) if last < len(jobs) else None}


@contextmanager
def scripted_site():
    """Serve until the block ends."""
    site = ScriptedSite()
    http = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"site": site}))
    http.daemon_threads = True
    site.url = f"http://127.0.0.1:{http.server_port}/"
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield site
    finally:
        site.go_away()
        site.upload_held.set()
        http.shutdown()
        thread.join()
        http.server_close()


class _Handler(BaseHTTPRequestHandler):
    site: ScriptedSite
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.site.away:
            self.close_connection = True
            return
        address = urlsplit(self.path)
        parts = [unquote(part) for part in address.path.split("/") if part]
        if parts[:1] == ["api"]:
            self.site.asked.append((self.command, address.path))
            self._asked(parts[1:], body, parse_qs(address.query))
        else:
            self._file(parts)

    def do_POST(self):
        self.do_GET()

    def do_PUT(self):
        self.do_GET()

    def do_DELETE(self):
        self.do_GET()

    def _asked(self, parts, body, query):
        if parts == ["session"]:
            self._session(body)
        elif not self._signed_in():
            self._error(401, NOT_SIGNED_IN)
        elif parts == ["upload"]:
            self._upload(body)
        elif parts == ["jobs"]:
            self._json(200, self.site.page(query))
        elif parts[1] in self.site.jobs:
            self._job(parts, body, query)
        else:
            self._error(404, NO_JOB)

    def _job(self, parts, body, query):
        job_id = parts[1]
        match (self.command, parts[0], *parts[2:]):
            case ("GET", "status"):
                self._json(200, self.site.jobs[job_id])
            case ("GET", "events"):
                self._events(job_id)
            case ("GET", "results") if "format" in query:
                self._send(200, b"1\n", "text/plain", {"Content-Disposition": f'attachment; filename="{job_id}.srt"'})
            case ("GET", "results"):
                self._json(200, result(job_id))
            case ("GET", "jobs", "edits"):
                self._json(200, self.site.edits.get(job_id, {"version": 0, "document": None}))
            case ("PUT", "jobs", "edits"):
                given = json.loads(body)
                self.site.edits[job_id] = {**given, "version": given["version"] + 1}
                self._json(200, {"version": given["version"] + 1})
            case ("POST", "jobs", "cancel"):
                self._json(202, self.site.put(job_id, status="cancelled"))
            case ("POST", "jobs", "rediarize"):
                self.site.rediarized.append(json.loads(body))
                self._json(202, self.site.put("again"))
            case ("DELETE", "jobs"):
                del self.site.jobs[job_id]
                self._send(204, b"", "text/plain")
            case _:
                self._error(410, {"code": "gone", "message": "it was erased"})

    def _signed_in(self):
        return self.site.key is None or "parley=in" in self.headers.get("Cookie", "")

    def _session(self, body):
        if self.command == "GET":
            told = {"key_required": self.site.key is not None, "signed_in": self._signed_in(), "name": self.site.owner}
            told["own_workers"] = self.site.own_workers
            self._json(
                200, {**told, "max_upload_bytes": 10_000_000, "version": "0.1", "models": {"diarization": "bundled"}}
            )
        elif json.loads(body)["key"] == self.site.key:
            self._send(204, b"", "text/plain", {"Set-Cookie": "parley=in; HttpOnly; SameSite=Strict; Path=/"})
        else:
            self._error(401, {"code": "invalid_api_key", "message": "not known"})

    def _upload(self, body):
        uploads = self.site.uploads
        self.site.upload_held.wait()
        uploads.append(body)
        if uploads is not self.site.uploads:
            self._error(503, {"code": "gone", "message": "held until the server was forgotten"})
        elif self.site.upload_errors:
            self._error(*self.site.upload_errors.pop(0))
        else:
            job_id = f"new{len(self.site.uploads)}"
            self._json(202, self.site.put(job_id, status="queued", position=3, step="queued"))

    def _events(self, job_id):
        self.close_connection = True
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        try:
            for name, data in self.site.events(job_id):
                self.wfile.write(f"event: {name}\ndata: {json.dumps(data)}\n\n".encode())
        except (BrokenPipeError, ConnectionResetError):
            pass

    def _file(self, parts):
        path = STATIC.joinpath(*parts[1:]) if parts else STATIC / "index.html"
        if path.is_file():
            self._send(200, path.read_bytes(), guess_type(path.name)[0] or "text/plain", KEPT)
        else:
            self._send(404, b"", "text/plain")

    def _error(self, code, envelope, headers=None):
        self._send(code, json.dumps({"error": envelope}).encode(), "application/json", headers)

    def _json(self, code, value):
        self._send(code, json.dumps(value).encode(), "application/json")

    def _send(self, code, content, media_type, headers=None):
        told = {"Content-Type": media_type, **SECURITY_HEADERS, **(headers or {})}
        self.send_response(code)
        for name, value in told.items():
            self.send_header(name, value)
        if code != 204:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        with suppress(BrokenPipeError, ConnectionResetError):
            self.wfile.write(content)
