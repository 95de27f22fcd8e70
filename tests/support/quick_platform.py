"""The local platform with workers inside the test that answer at once, wait, or fail, as the recording says."""

import asyncio
import base64
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp

from common.settings import Settings, load_settings
from orchestrator.local.platform import LocalPlatform, PlatformSettings
from tests.support.fake_endpoint import DIARIZED, HEARD
from tests.support.platform_client import API_KEY, Caller

ENDPOINTS = ("orchestrator", "diarization", "transcription")
FAILURE = {"code": "unreadable_audio", "message": "this is not audio", "param": "audio", "retryable": False}


class QuickPlatform:
    """What the workers were given; recordings with `wait` in them are worked on until `release`, `bad` ones fail."""

    def __init__(self, platform: LocalPlatform, session: aiohttp.ClientSession) -> None:
        self.platform = platform
        self.session = session
        self.inputs: dict[str, list[dict[str, Any]]] = {name: [] for name in ENDPOINTS}
        self.ids: dict[str, list[str]] = {name: [] for name in ENDPOINTS}
        self.running = 0
        self.most_running = 0
        self.release = asyncio.Event()

    def env(self, *, orchestrator: bool = True) -> dict[str, str]:
        names = [name for name in ENDPOINTS if orchestrator or name != "orchestrator"]
        ids = {f"{name.upper()}_ENDPOINT_ID": name for name in names}
        return {"RUNPOD_BASE_URL": self.platform.base_url, "RUNPOD_API_KEY": API_KEY, **ids}

    def settings(self, *, orchestrator: bool = True) -> Settings:
        return load_settings(self.env(orchestrator=orchestrator))

    def caller(self, endpoint: str) -> Caller:
        return Caller(self.platform, endpoint, self.session)

    async def states(self, endpoint: str) -> list[str]:
        return [(await self.caller(endpoint).status(job_id))["status"] for job_id in self.ids[endpoint]]

    async def until_given(self, endpoint: str, count: int, *, timeout_s: float = 15.0) -> None:
        async with asyncio.timeout(timeout_s):
            while len(self.ids[endpoint]) < count:
                await asyncio.sleep(0.01)

    async def work(self, endpoint: str) -> None:
        """Take jobs for ever, many at once."""
        env = self.platform.worker_environment(endpoint, f"{endpoint}-1")
        headers = {"Authorization": env["RUNPOD_AI_API_KEY"]}
        take = env["RUNPOD_WEBHOOK_GET_JOB"].replace("$ID", f"{endpoint}-1")
        async with asyncio.TaskGroup() as jobs:
            tasks: list[asyncio.Task[None]] = []
            while True:
                busy = f"&job_in_progress={int(any(not task.done() for task in tasks))}"
                async with self.session.get(take + busy, headers=headers) as response:
                    job = await response.json() if response.status == 200 else None
                if job:
                    tasks.append(jobs.create_task(self._answer(endpoint, job, env, headers)))

    async def _answer(self, endpoint: str, job: dict[str, Any], env: dict[str, str], headers: dict[str, str]) -> None:
        self.inputs[endpoint].append(job["input"])
        self.ids[endpoint].append(job["id"])
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        done = env["RUNPOD_WEBHOOK_POST_OUTPUT"].replace("$RUNPOD_POD_ID", f"{endpoint}-1").replace("$ID", job["id"])
        audio = str(job["input"]["audio"])
        recording = audio if audio.startswith("http") else base64.b64decode(audio).decode(errors="replace")
        await self._post(done, {"status": "IN_PROGRESS", "output": {"stage": "decoding", "progress": 0.5}}, headers)
        if "wait" in recording:
            await self.release.wait()
        self.running -= 1
        failed = {"error": json.dumps(FAILURE)}
        await self._post(done, failed if "bad" in recording else {"output": _result(endpoint, recording)}, headers)

    async def _post(self, url: str, body: dict[str, Any], headers: dict[str, str]) -> None:
        async with self.session.post(f"{url}&isStream=false", json=body, headers=headers):
            pass


def _result(endpoint: str, recording: str) -> dict[str, Any]:
    return DIARIZED if endpoint == "diarization" else {**HEARD, "text": f"Heard {recording}."}


@contextlib.asynccontextmanager
async def quick_platform() -> AsyncIterator[QuickPlatform]:
    async with (
        LocalPlatform(ENDPOINTS, PlatformSettings(api_key=API_KEY)) as platform,
        aiohttp.ClientSession() as session,
    ):
        quick = QuickPlatform(platform, session)
        workers = [asyncio.create_task(quick.work(endpoint)) for endpoint in ENDPOINTS]
        try:
            yield quick
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.wait(workers)
