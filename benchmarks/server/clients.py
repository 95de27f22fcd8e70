"""`python -m benchmarks.server.clients`: the callers of a web server, in a process of their own.

`crowd URL FOLDER` sends all recordings of a folder at once and follows them to their ends; `idle URL JOB SECONDS` asks
for an ended job as often as a crowd does; `upload URL BYTES` sends a large recording and erases it. Each prints JSON.
"""

import asyncio
import json
import sys
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from benchmarks.server.recordings import large_wav

STATUS_S = 0.25  # between two questions of one client
RESULT_S = 0.5
HEALTH_S = 1.0
CROWD = 10
FINAL = {"completed", "failed", "cancelled"}
BOUNDARY = "the-benchmark-s-own-boundary"
Figures = dict[str, Any]


class Clients:
    """Asks one server; `seconds` has by route how long each answer took, to its last byte."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session
        self.seconds: defaultdict[str, list[float]] = defaultdict(list)
        self.refused: list[str] = []

    async def ask(self, route: str, method: str, path: str, **sent: Any) -> Any:  # noqa: ANN401 - JSON, or bytes
        """Return the JSON of an answer, or its bytes; what is no success is noted in `refused`."""
        started = time.perf_counter()
        async with self._session.request(method, path, **sent) as response:
            content = await response.read()
            self.seconds[route].append(time.perf_counter() - started)
            if not response.ok:
                self.refused.append(f"{route}: {response.status}")
        return json.loads(content) if response.content_type == "application/json" else content

    async def status(self, job_id: str) -> Figures:
        """Return a job's status."""
        found: Figures = await self.ask("status", "GET", f"/api/status/{job_id}")
        return found

    async def result(self, job_id: str) -> Figures:
        """Return a job's result."""
        found: Figures = await self.ask("result", "GET", f"/api/results/{job_id}")
        return found

    async def read(self, job_id: str) -> None:
        """Ask for a result as it is and as a file, as one who reads it and keeps it."""
        await self.result(job_id)
        await self.ask("srt", "GET", f"/api/results/{job_id}?format=srt")

    async def send(self, name: str, content: bytes) -> Figures:
        """Upload a recording."""
        form = aiohttp.FormData()
        form.add_field("file", content, filename=name)
        accepted: Figures = await self.ask("upload", "POST", "/api/upload", data=form)
        return accepted

    async def events(self, job_id: str) -> list[str]:
        """Return the names of the events of a job, to its end."""
        async with self._session.get(f"/api/events/{job_id}") as response:
            lines = [line async for line in response.content]
        return [line.decode().split()[1] for line in lines if line.startswith(b"event:")]


class Crowd:
    """Callers who send their recordings at once; each asks how far his own is, two others read what is done."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._ended: list[str] = []
        self._active: list[int] = []
        self._places: defaultdict[str, list[int]] = defaultdict(list)

    async def follow_all(self, recordings: Mapping[str, bytes]) -> Figures:
        """Return all that was seen."""
        accepted = await asyncio.gather(*(self._clients.send(*one) for one in recordings.items()))
        ids = [one["job_id"] for one in accepted]
        looking = asyncio.create_task(repeatedly(self._look, HEALTH_S))
        reading = [asyncio.create_task(repeatedly(self._read_one, RESULT_S)) for _ in range(2)]
        listening = asyncio.create_task(self._clients.events(ids[len(ids) // 2]))
        jobs = await asyncio.gather(*(self._follow(job_id, STATUS_S * at / len(ids)) for at, job_id in enumerate(ids)))
        await stopped([looking, *reading])
        seconds = {route: list(values) for route, values in self._clients.seconds.items()}
        results = [await self._clients.result(job["job_id"]) for job in jobs if job["status"] == "completed"]
        return {
            "seconds": seconds,
            "refused": self._clients.refused,
            "places": self._places,
            "jobs": jobs,
            "timings": {one["job_id"]: one["performance_metrics"] for one in results},
            "events": await listening,
            "active": self._active,
        }

    async def _follow(self, job_id: str, first_pause_s: float) -> Figures:
        """Return the status with which a job has ended; the first pause keeps clients from asking in step."""
        await asyncio.sleep(first_pause_s)
        job = await self._clients.status(job_id)
        while job["status"] not in FINAL:
            if job["position"] is not None:
                self._places[job_id].append(job["position"])
            await asyncio.sleep(STATUS_S)
            job = await self._clients.status(job_id)
        self._ended.append(job_id)
        return job

    async def _look(self) -> None:
        self._active.append((await self._clients.ask("health", "GET", "/health"))["active_jobs"])

    async def _read_one(self) -> None:
        if self._ended:
            job_id = self._ended.pop(0)
            self._ended.append(job_id)
            await self._clients.read(job_id)


async def repeatedly(ask: Callable[[], Awaitable[Any]], pause_s: float) -> None:
    """Ask again and again."""
    while True:
        await ask()
        await asyncio.sleep(pause_s)


async def stopped(tasks: Iterable["asyncio.Task[None]"]) -> None:
    """Stop what is asked repeatedly; raises what went wrong meanwhile."""
    for task in tasks:
        task.cancel()
    for ended in await asyncio.gather(*tasks, return_exceptions=True):
        if not isinstance(ended, asyncio.CancelledError) and isinstance(ended, BaseException):
            raise ended


async def crowd(url: str, folder: str) -> Figures:
    """Send all recordings of a folder at once."""
    recordings = await asyncio.to_thread(_contents, Path(folder))
    async with _clients(url) as clients:
        return await Crowd(clients).follow_all(recordings)


async def idle(url: str, job_id: str, seconds: str) -> Figures:
    """Ask for a job that has ended, as often as a crowd asks for its own."""
    async with _clients(url) as clients:
        asking = []
        for _ in range(CROWD):
            asking.append(asyncio.create_task(repeatedly(lambda: clients.status(job_id), STATUS_S)))
            await asyncio.sleep(STATUS_S / CROWD)
        asking += [asyncio.create_task(repeatedly(lambda: clients.read(job_id), RESULT_S)) for _ in range(2)]
        await asyncio.sleep(float(seconds))
        await stopped(asking)
    return {"seconds": clients.seconds, "refused": clients.refused}


async def upload(url: str, size_bytes: str) -> Figures:
    """Send a large recording in pieces and erase it at once."""
    async with _clients(url) as clients:
        started = time.perf_counter()
        accepted = await clients.ask("upload", "POST", "/api/upload", **_large_form(int(size_bytes)))
        took_s = time.perf_counter() - started
        if "job_id" in accepted:
            await clients.ask("erase", "DELETE", f"/api/jobs/{accepted['job_id']}")
    return {"seconds": took_s, "refused": clients.refused}


def _contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def _large_form(size_bytes: int) -> Figures:
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="large.wav"\r\n\r\n'.encode()
    tail = f"\r\n--{BOUNDARY}--\r\n".encode()

    async def pieces() -> AsyncIterator[bytes]:
        yield head
        for piece in large_wav(size_bytes=size_bytes):
            yield piece
        yield tail

    length = str(len(head) + size_bytes + len(tail))
    headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}", "Content-Length": length}
    return {"data": pieces(), "headers": headers}


@asynccontextmanager
async def _clients(url: str) -> AsyncIterator[Clients]:
    timeout = aiohttp.ClientTimeout(total=None, sock_read=300)
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(url, connector=connector, timeout=timeout) as session:
        yield Clients(session)


def main(arguments: Sequence[str]) -> None:
    """Print what was seen as one line of JSON."""
    commands: dict[str, Callable[..., Coroutine[Any, Any, Figures]]] = {"crowd": crowd, "idle": idle, "upload": upload}
    print(json.dumps(asyncio.run(commands[arguments[0]](*arguments[1:]))))


if __name__ == "__main__":
    main(sys.argv[1:])
