"""The start of a worker's process: what it imports, when its first job comes, and how it ends meanwhile."""

import asyncio
import json
import signal
import subprocess
import sys
from contextlib import asynccontextmanager, contextmanager

import aiohttp
import pytest

from orchestrator.local.platform import LocalPlatform, PlatformSettings
from orchestrator.local.supervisor import Supervisor, WorkerCommand
from tests.support.audio_jobs import job
from tests.support.platform_client import API_KEY, Caller

PATIENCE_S = 60
LOOK_S = 0.01
# what the orchestrator has no use for: models, audio, and what only some installations need
UNUSED = {
    *("torch", "torchaudio", "nemo", "pyannote", "faster_whisper", "ctranslate2", "transformers", "scipy", "sklearn"),
    *("av", "soundfile", "soxr", "fastapi", "uvicorn", "sqlalchemy", "redis", "rq", "huggingface_hub", "handlers"),
}
IMPORTS = """
import json, sys
import orchestrator.handler
own = sorted({name.partition(".")[0] for name in sys.modules})
import runpod
print(json.dumps([own, sorted({name.partition(".")[0] for name in sys.modules})]))
"""


def test_the_orchestrator_imports_no_model_and_nothing_for_audio():
    ran = subprocess.run(
        [sys.executable, "-c", IMPORTS], capture_output=True, text=True, timeout=PATIENCE_S, check=True
    )
    own, with_sdk = (set(names) for names in json.loads(ran.stdout.splitlines()[-1]))
    assert {"orchestrator", "common", "pydantic", "aiohttp"} <= own
    assert own & {*UNUSED, "boto3", "botocore", "runpod"} == set()
    assert with_sdk & UNUSED == set()


def command(folder):
    return [sys.executable, "-m", "tests.support.loading_worker", str(folder)]


@contextmanager
def loading(folder):
    """Yield a worker's process that is about to load its model."""
    with subprocess.Popen(command(folder), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            asyncio.run(told(folder, "loading"))
            yield process
        finally:
            process.kill()


async def told(folder, event):
    async with asyncio.timeout(PATIENCE_S):
        while event not in diary(folder):
            await asyncio.sleep(LOOK_S)


def diary(folder):
    path = folder / "diary"
    return path.read_text().split() if path.exists() else []


def test_a_worker_that_is_told_to_end_while_it_loads_ends(tmp_path):
    with loading(tmp_path) as process:
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 0  # its own answer: the system's would be -15
        assert process.stdout.read() == ""
    assert diary(tmp_path) == ["loading"]


def test_a_model_that_cannot_be_loaded_ends_it_with_one_line(tmp_path):
    with loading(tmp_path) as process:
        (tmp_path / "go").write_text("fail")
        said, _ = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, said) == (78, "PARLEY-FATAL the model cannot be loaded: it is a test's\n")


@asynccontextmanager
async def served(folder):
    argv = tuple(command(folder))
    async with (
        LocalPlatform(("jobs",), PlatformSettings(api_key=API_KEY)) as platform,
        aiohttp.ClientSession() as session,
    ):
        jobs = Caller(platform, "jobs", session)
        job_id = await jobs.submit(job(1.0)["input"])
        worker = WorkerCommand(endpoint_id="jobs", argv=argv, env={"LOG_FORMAT": "json"})
        async with Supervisor(platform, [worker], log_folder=folder):
            yield jobs, job_id


async def test_a_job_that_waits_is_taken_when_the_model_is_loaded(tmp_path):
    async with served(tmp_path) as (jobs, job_id):
        await told(tmp_path, "loading")
        assert (await jobs.status(job_id))["status"] == "IN_QUEUE"
        (tmp_path / "go").write_text("")
        done = await jobs.wait_for(job_id, timeout_s=PATIENCE_S)
    assert done["status"] == "COMPLETED"
    assert diary(tmp_path) == ["loading", "loaded", "asked"]
    (start,) = starts_told(tmp_path)
    assert start["worker"] == "diarization"
    assert {"imports_s", "find_s", "load_s", "sdk_s"} <= start.keys()
    assert sum(start[key] for key in start if key.endswith("_s") and key != "total_s") <= start["total_s"] + 0.1
    assert done["output"]["timings"]["cold_start_s"] == pytest.approx(start["total_s"], abs=0.01)


def starts_told(folder):
    (log,) = folder.glob("**/*.log")
    lines = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    return [line for line in lines if line.get("event") == "cold_start"]
