"""Worker processes around one Redis, with short waits, and the endpoint that gives them jobs."""

import asyncio
import dataclasses
import json
import os
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from common.redis_queue import QueueRules, connect_async
from orchestrator.redis_endpoint import RedisEndpoint
from tests.support.audio_jobs import tone, wav_base64
from tests.support.redis_server import RedisServer

QUICK = QueueRules(
    lease_s=2.5, beat_s=0.2, sweep_s=0.2, block_s=0.1, patience_s=15.0, result_ttl_s=60, read_ttl_s=30, grace_s=20.0
)
READY_TIMEOUT_S = 60
AUDIO = wav_base64(tone(0.1))


class Farm:
    """Toy workers of one kind; each test has another kind, and so another queue."""

    def __init__(self, server: RedisServer, folder: Path, *, rules: QueueRules = QUICK, **env: str) -> None:
        self.server = server
        self.kind = f"toy{uuid.uuid4().hex[:8]}"
        self.rules = rules
        self.env = env
        self.folder = folder
        self.diary_path = folder / f"{self.kind}.diary"
        self.workers: list[subprocess.Popen] = []
        self.started = 0

    def have(self, count: int) -> list[subprocess.Popen]:
        """Start as many workers as are missing and wait until they take jobs; returns those that live."""
        self.workers = [worker for worker in self.workers if worker.poll() is None]
        self._start(count - len(self.workers))
        return self.workers

    def _start(self, count: int) -> None:
        rules = json.dumps(dataclasses.asdict(self.rules))
        command = [sys.executable, "-m", "tests.support.toy_redis_worker", self.kind, rules, str(self.diary_path)]
        env = {**os.environ, "QUEUE_URL": self.server.url, **self.env}
        for _ in range(count):
            with self.log_path.open("ab") as log:
                self.workers.append(subprocess.Popen(command, env=env, stdout=log, stderr=log))
            self.started += 1
        patient_until = time.monotonic() + READY_TIMEOUT_S
        while self.log.count("worker_ready") < self.started:
            assert time.monotonic() < patient_until, self.log
            time.sleep(0.05)

    def close(self) -> None:
        for worker in self.workers:
            worker.kill()
            worker.wait(10)

    @property
    def log_path(self) -> Path:
        return self.folder / f"{self.kind}.log"

    @property
    def log(self) -> str:
        return self.log_path.read_text()

    def diary(self) -> Counter[tuple[str, int]]:
        """How often which job began and ended."""
        return Counter((event, n) for event, n, _ in self.entries())

    def entries(self) -> list[tuple[str, int, int]]:
        """Event, number of the job and process id, in order."""
        lines = self.diary_path.read_text().splitlines() if self.diary_path.exists() else []
        return [(event, int(n), int(pid)) for event, n, pid in map(str.split, lines)]

    async def began(self, n: int, *, times: int = 1, timeout_s: float = 20.0) -> int:
        """Wait until job `n` has begun so often; returns the process that it runs in."""
        async with asyncio.timeout(timeout_s):
            while self.diary()["began", n] < times:
                await asyncio.sleep(0.01)
        return [pid for event, number, pid in self.entries() if (event, number) == ("began", n)][-1]

    async def ended(self, n: int, *, times: int = 1, timeout_s: float = 20.0) -> None:
        async with asyncio.timeout(timeout_s):
            while self.diary()["ended", n] < times:
                await asyncio.sleep(0.01)

    def pick(self, pid: int) -> subprocess.Popen:
        return next(worker for worker in self.workers if worker.pid == pid)

    def kill(self, pid: int) -> None:
        self.pick(pid).kill()
        self.pick(pid).wait(10)

    @asynccontextmanager
    async def endpoint(self, **rules: float) -> AsyncIterator[RedisEndpoint]:
        client = connect_async(self.server.url)
        changed = dataclasses.replace(self.rules, **rules)
        endpoint = RedisEndpoint(name=self.kind, client=client, rules=changed)
        try:
            yield endpoint
        finally:
            await endpoint.close()
            await client.aclose()


def asked(n: int, action: str = "work", **fields: object) -> dict[str, object]:
    return {"audio": AUDIO, "action": action, "n": n, **fields}
