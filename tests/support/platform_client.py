"""A small caller of the local platform, and real SDK workers to put behind it."""

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

import aiohttp

from orchestrator.local.platform import LocalPlatform
from orchestrator.local.supervisor import WorkerCommand

API_KEY = "test-key"
FINAL = ("COMPLETED", "FAILED", "CANCELLED", "TIMED_OUT")
WORKER_SCRIPT = Path(__file__).with_name("sdk_worker.py")


class Caller:
    """Calls one endpoint; every answer is (status, JSON)."""

    def __init__(self, platform: LocalPlatform, endpoint: str, session: aiohttp.ClientSession) -> None:
        self.platform = platform
        self.url = f"{platform.base_url}/{endpoint}"
        self.session = session

    async def call(self, method: str, path: str, **options: Any) -> tuple[int, Any]:
        options.setdefault("headers", {"Authorization": f"Bearer {API_KEY}"})
        async with self.session.request(method, f"{self.url}/{path}", **options) as response:
            return response.status, await response.json()

    async def ok(self, method: str, path: str, **options: Any) -> Any:
        status, body = await self.call(method, path, **options)
        assert status == 200, body
        return body

    async def submit(self, job_input: dict[str, Any], **more: Any) -> str:
        return str((await self.ok("POST", "run", json={"input": job_input, **more}))["id"])

    async def runsync(self, job_input: dict[str, Any], **more: Any) -> Any:
        return await self.ok("POST", "runsync", json={"input": job_input, **more})

    async def status(self, job_id: str) -> Any:
        return await self.ok("GET", f"status/{job_id}")

    async def wait_for(self, job_id: str, *states: str, timeout_s: float = 10.0) -> Any:
        async with asyncio.timeout(timeout_s):
            while (view := await self.status(job_id))["status"] not in (states or FINAL):
                await asyncio.sleep(0.02)
        return view


def sdk_worker(endpoint: str, *args: str) -> WorkerCommand:
    return WorkerCommand(
        endpoint_id=endpoint, argv=(sys.executable, "-u", str(WORKER_SCRIPT), *args), env=dict(os.environ)
    )
