"""Two lives of one server: the first is killed at a write of its state, the second has to put everything right."""

import asyncio
import gc
import hashlib
import json
import logging
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import Connection, Engine, event

from common.errors import EndpointUnreachableError, InvalidInputError
from common.settings import StorageSettings, load_settings
from orchestrator.server import reporter as reporter_module
from orchestrator.server import runner as runner_module
from orchestrator.server.jobs import Job, NewJob
from orchestrator.server.runner import Runner
from orchestrator.server.settings import ServerSettings, load_server_settings
from orchestrator.server.store.database import migrate, open_database
from orchestrator.server.store.files import FileStore, open_files
from orchestrator.server.store.janitor import Janitor
from orchestrator.server.store.job_store import JobStore
from orchestrator.server.work import new_name
from tests.support.toy_backend import DIARIZATION

PRELOADED = ["tests.support.kill_trials", "sqlalchemy.dialects.sqlite", "sqlalchemy.dialects.postgresql", "psycopg"]
STORE_CALLS = (
    "add", "claim", "renew", "hold", "report", "complete", "fail", "give_back", "cancelled",
    "cancel", "erase", "erased", "expired", "without_audio", "reclaim", "secret", "save_edits",
)  # fmt: skip
FILE_CALLS = ("put", "put_bytes", "delete")
LEASE_S, LATER_S = 15.0, 1000.0
PATIENCE_S = 60.0
STUCK = 3
JOURNAL, WORK = "journal.jsonl", "work.jsonl"


@dataclass(frozen=True, slots=True)
class Kill:
    """When the first life ends: around the commit (or the file's move) of the so manieth call of that name."""

    call: str
    occurrence: int
    moment: Literal["before", "after"]


@dataclass(frozen=True, slots=True)
class Place:
    """What both lives share."""

    url: str
    folder: Path
    keep_audio: bool

    def server(self) -> ServerSettings:
        env = {"DATABASE_URL": self.url, "DATA_FOLDER": str(self.folder), "KEEP_AUDIO": str(int(self.keep_audio))}
        return replace(load_server_settings(env), job_lease_s=0.15)  # by this the runner renews, not the store

    def files(self) -> FileStore:
        return open_files(str(self.folder / "files"), StorageSettings())

    def store(self, engine: Engine, clock: Callable[[], float] = time.time) -> JobStore:
        limits = {"max_queued": 100, "max_queued_per_owner": 100, "max_attempts": 3}
        return JobStore(engine, lease_s=LEASE_S, clock=clock, **limits)

    def note(self, name: str, **line: Any) -> None:
        """Append a line to a log that a kill cannot take back."""
        descriptor = os.open(self.folder / name, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(descriptor, (json.dumps(line) + "\n").encode())
        os.close(descriptor)

    def lines(self, name: str) -> list[dict[str, Any]]:
        path = self.folder / name
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


class Backend:
    """Answers by a job's filename, and notes what it was asked to do."""

    def __init__(self, place: Place, life: int) -> None:
        self.models = {"diarization": "toy"}
        self.identity = "toy"
        self._place = place
        self._life = life

    async def run(self, job: Job, *, earlier, on_progress, on_found, deadline_s) -> dict[str, Any]:
        self._place.note(WORK, event="begin", id=job.id, life=self._life)
        on_progress({"progress": 0.5})
        if job.filename == "bad":
            raise InvalidInputError("nobody can do this")
        if job.filename == "retried" and job.attempts == 1:
            raise EndpointUnreachableError("it does not answer", endpoint="diarization")
        if job.filename == "slow" and self._life == 1:
            await asyncio.sleep(PATIENCE_S)
        self._place.note(WORK, event="end", id=job.id, life=self._life)
        return DIARIZATION

    async def health(self) -> dict[str, Any]:
        return {"toy": {"workers_ready": 1}}


class Killer:
    """Kills this process at one moment of one call."""

    def __init__(self, kill: Kill, engine: Engine) -> None:
        self._kill = kill
        self._seen: Counter[str] = Counter()
        self._at = threading.local()
        self._commit = engine.dialect.do_commit
        event.listen(engine, "commit", self._note_transaction)
        engine.dialect.do_commit = self._committed  # type: ignore[method-assign] # the moment of the write itself

    def watch_store(self, store: JobStore) -> None:
        for name in STORE_CALLS:
            setattr(store, name, partial(self._in_store, name, getattr(store, name)))

    def watch_files(self, files: FileStore) -> None:
        for name in FILE_CALLS:
            setattr(files, name, partial(self._in_files, name, getattr(files, name)))

    def _in_store(self, name: str, call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        self._at.call = name
        try:
            return call(*args, **kwargs)
        finally:
            self._at.call = None

    def _in_files(self, name: str, call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return self._around(name, partial(call, *args, **kwargs))

    def _note_transaction(self, connection: Connection) -> None:
        self._at.writes = not connection.get_execution_options().get("reads")

    def _committed(self, connection: Any) -> None:
        name = getattr(self._at, "call", None)
        if name is None or not self._at.writes:
            self._commit(connection)
        else:
            self._around(name, partial(self._commit, connection))

    def _around(self, name: str, write: Callable[[], Any]) -> Any:
        self._seen[name] += 1
        now = (name, self._seen[name]) == (self._kill.call, self._kill.occurrence)
        if now and self._kill.moment == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = write()
        if now:
            os.kill(os.getpid(), signal.SIGKILL)
        return result


class Callers:
    """What people do with the server in its first life; what it told them is noted."""

    def __init__(self, place: Place, store: JobStore, files: FileStore, runner: Runner) -> None:
        self.place, self.store, self.files, self.runner = place, store, files, runner

    def upload(self, filename: str, *, content: str | None = None) -> str:
        number = len(self.place.lines(JOURNAL))
        job_id, path = f"{number:032x}", self.files.incoming / f"upload-{number}"
        path.write_text(content or f"recording {number}")
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        self.place.note(JOURNAL, event="sent", id=job_id, filename=filename)
        name = new_name("audio", job_id)
        self.files.put(path, name)
        said = {"kind": "diarization", "fields": {}, "request_id": f"r{number}", "filename": filename}
        self.store.add(NewJob(id=job_id, owner="anna", audio=name, audio_sha256=digest, **said))
        self.place.note(JOURNAL, event="accepted", id=job_id)
        self.runner.wake()
        return job_id

    async def ended(self, job_id: str) -> None:
        job = await self.runner.ended(job_id)
        self.place.note(JOURNAL, event="ended", id=job_id, state=job.state, result=job.result)

    async def begun(self, job_id: str) -> None:
        while not any(line["id"] == job_id for line in self.place.lines(WORK)):
            await asyncio.sleep(0.005)

    async def cancel(self, job_id: str) -> None:
        await asyncio.to_thread(self.store.cancel, job_id)
        self.place.note(JOURNAL, event="cancelled", id=job_id)
        self.runner.stop(job_id)

    async def erase(self, job_id: str) -> None:
        await asyncio.to_thread(self.store.erase, job_id)
        self.place.note(JOURNAL, event="erased", id=job_id)
        self.runner.stop(job_id)

    def edit(self, job_id: str, version: int) -> None:
        before, name = self.store.get(job_id).edits, new_name("edits", job_id, suffix=".json")
        self.files.put_bytes(b"{}", name)
        self.store.save_edits(job_id, edits=name, version=version)
        self.place.note(JOURNAL, event="edited", id=job_id, version=version + 1)
        if before is not None:
            self.files.delete(before)


async def all_that_is_done(callers: Callers) -> None:
    """Go through every kind of write of the state."""
    await asyncio.to_thread(callers.store.secret)
    await callers.runner.start()
    first = callers.upload("good", content="the same")
    others = [callers.upload("retried"), callers.upload("bad")]
    for job_id in (first, *others, callers.upload("twin", content="the same")):
        await callers.ended(job_id)
    for version in range(2):
        await asyncio.to_thread(callers.edit, first, version)
    slow, waiting = callers.upload("slow"), callers.upload("good")
    await callers.begun(slow)
    for job_id in (waiting, slow):
        await callers.cancel(job_id)
        await callers.ended(job_id)
    unwanted = callers.upload("slow")
    await callers.begun(unwanted)
    await callers.erase(unwanted)
    await callers.begun(callers.upload("slow"))
    await asyncio.sleep(0.1)  # the leases are renewed meanwhile
    await callers.runner.close()


async def first_life(place: Place, kill: Kill) -> None:
    engine = open_database(place.url)
    store, files, server = place.store(engine), place.files(), place.server()
    killer = Killer(kill, engine)
    killer.watch_store(store)
    killer.watch_files(files)
    runner = Runner(store, files, Backend(place, 1), settings=load_settings({}), server=server)
    await all_that_is_done(Callers(place, store, files, runner))
    place.note(JOURNAL, event="expiring", id="")
    Janitor(store, files, retention_s=0.0, keep_audio=place.keep_audio).sweep()


async def second_life(place: Place) -> None:
    """Run until nothing is left to do; what the first life held is free, since the clock is past its leases."""
    engine = open_database(place.url)
    migrate(engine)
    store, files, server = place.store(engine, lambda: time.time() + LATER_S), place.files(), place.server()
    runner = Runner(store, files, Backend(place, 2), settings=load_settings({}), server=server)
    await runner.start()
    give_up_at = time.monotonic() + PATIENCE_S
    while (counts := await asyncio.to_thread(store.counts))["queued"] + counts["running"]:
        if time.monotonic() > give_up_at:
            os._exit(STUCK)
        await asyncio.sleep(0.03)
    await runner.close()
    Janitor(store, files, retention_s=1e9, keep_audio=place.keep_audio, orphan_s=0.0).sweep()


def live(life: Callable[..., Any], *args: Any) -> None:
    """Run one life as a process of its own."""
    gc.disable()  # all that was imported is looked through otherwise, again and again
    logging.disable(logging.CRITICAL)
    runner_module.LOOK_S, runner_module.RETRY_PAUSE_S, reporter_module.INTERVAL_S = 0.1, 0.001, 0.02
    asyncio.run(life(*args))
    os._exit(0)
