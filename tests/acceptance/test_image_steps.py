"""The orchestrator's image, without a container engine: its steps run in a clean root, and its worker serves a job."""

import asyncio
import base64
import contextlib
import re
import shutil
import subprocess

import aiohttp
import pytest

from orchestrator.local.platform import LocalPlatform, PlatformSettings
from tests.support.clean_root import IS_POSSIBLE, CleanRoot, debian_with_python, roots_folder
from tests.support.clean_venv import CleanVenv
from tests.support.dockerfile import ROOT, read_image
from tests.support.image_worker import image_worker, started
from tests.support.optional import needed_program
from tests.support.platform_client import API_KEY, Caller
from tests.support.quick_platform import ENDPOINTS, QuickPlatform

CHILDREN = ("diarization", "transcription")
AUDIO = base64.b64encode(b"a recording").decode()
SPOKEN = [("SPEAKER_00", "Hello there."), ("SPEAKER_01", "Hi.")]
# what Python itself would compile at every start, because nobody has done so before
UNCOMPILED = """
import os, sys, orchestrator.handler, runpod
files = {name: getattr(module, "__cached__", None) for name, module in sys.modules.items()}
print(sorted(name for name, file in files.items() if file and not os.path.exists(file)))
"""
OTHERS_FILES = """
import os, pathlib
print(os.getuid(), [path for path in ("/app", "/app/common", os.__file__) if os.access(path, os.W_OK)])
print(sorted(str(path) for path in pathlib.Path.home().rglob("*") if "cache" in path.name))
"""


@pytest.fixture(scope="module")
def folder():
    with roots_folder() as made:
        yield made


@pytest.fixture(scope="module")
def debian(folder):
    """The base image, or None where this user may not make one."""
    if not IS_POSSIBLE:
        return None
    needed_program("debootstrap")
    debian_with_python(folder / "debian")
    return folder / "debian"


@contextlib.contextmanager
def built(base, folder, **build_args):
    image = read_image(ROOT / "Dockerfile.orchestrator", **build_args)
    root = CleanVenv(folder, image) if base is None else CleanRoot(folder, image)
    try:
        if base is not None:
            subprocess.run(["cp", "--archive", str(base), str(folder)], check=True)
        root.build()
        yield root, image
    finally:
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def orchestrator(debian, folder):
    with built(debian, folder / "orchestrator") as made:
        yield made


@pytest.fixture
async def platform():
    async with (
        LocalPlatform(ENDPOINTS, PlatformSettings(api_key=API_KEY)) as local,
        aiohttp.ClientSession() as session,
    ):
        quick = QuickPlatform(local, session)
        workers = [asyncio.create_task(quick.work(endpoint)) for endpoint in CHILDREN]
        yield quick
        for worker in workers:
            worker.cancel()
        await asyncio.wait(workers)


async def test_its_command_is_a_worker_that_answers_a_job_and_stops_when_told(orchestrator, platform, tmp_path):
    root, image = orchestrator
    log, env = tmp_path / "worker.log", platform.env(orchestrator=False)
    async with image_worker(root, image.command, platform.platform, "orchestrator", env=env, log=log) as worker:
        assert not IS_POSSIBLE or worker.first_process.uids().real == 1000
        caller = Caller(platform.platform, "orchestrator", platform.session)
        job = await caller.wait_for(
            await caller.submit({"audio": AUDIO, "response_format": "verbose_json"}), timeout_s=120
        )
        assert job["status"] == "COMPLETED", job
        assert [(one["speaker"], one["text"]) for one in job["output"]["segments"]] == SPOKEN
        assert [platform.inputs[child][0]["audio"] for child in CHILDREN] == [AUDIO, AUDIO]
        platform.platform.release_worker("orchestrator", "orchestrator-1")
        assert await worker.stop() == 0
    assert "Hello" not in worker.said


@pytest.mark.skipif(not IS_POSSIBLE, reason="an environment of this machine's own Python has what that has")
def test_nothing_is_compiled_at_a_start_and_nothing_but_its_home_is_the_workers(orchestrator):
    root, _ = orchestrator
    assert root.answer(UNCOMPILED).splitlines() == ["[]"]
    assert root.answer(OTHERS_FILES).splitlines() == ["1000 []", "[]"]


def test_what_only_the_build_needs_is_gone(orchestrator):
    root, _ = orchestrator
    code = "import importlib.util as u; print([name for name in ('uv', 'torch', 'pytest') if u.find_spec(name)])"
    assert root.answer(code).splitlines() == ["[]"]


async def test_with_the_servers_extras_it_is_the_web_server(debian, folder, platform, tmp_path):
    with built(debian, folder / "server", EXTRAS="server queue") as (root, _):
        argv = root.command(["python", "-m", "orchestrator.cli", "serve", "--port", "0"], platform.env())
        async with started(argv, tmp_path / "server.log") as server:
            at = asyncio.create_task(until_said(server, r"Parley is at (\S+)"))
            await server.wait_while(at, timeout_s=120)
            url = at.result()
            async with platform.session.get(f"{url}/") as page, platform.session.get(f"{url}/health") as health:
                assert "<title>Parley" in await page.text()
                assert sorted((await health.json())["workers"]) == sorted(ENDPOINTS)
            assert await server.stop() == 130


async def until_said(server, pattern):
    while not (found := re.search(pattern, server.said)):
        await asyncio.sleep(0.05)
    return found[1]
