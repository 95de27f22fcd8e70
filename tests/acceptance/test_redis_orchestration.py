"""Both real workers behind a real Redis, with the bundled models: one orchestration, and its times."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys

import pytest

from common.contract import OrchestrationRequest
from common.redis_queue import KINDS
from orchestrator.pipeline import orchestrate
from orchestrator.redis_endpoint import redis_endpoints
from tests.support.redis_server import redis_server

READY_S = 120


@pytest.fixture
def queue_url(tmp_path):
    """A Redis with one worker of each kind, which end well when they are told to."""
    with redis_server() as server, contextlib.ExitStack() as started:
        env = {**os.environ, "PARLEY_PROFILE": "laptop", "QUEUE_URL": server.url}
        env.pop("ALLOW_PRIVATE_ADDRESSES", None)
        processes = []
        for kind in KINDS:
            log = started.enter_context((tmp_path / f"{kind}.log").open("wb"))
            command = [sys.executable, "-m", "handlers.redis_worker", kind]
            processes.append(subprocess.Popen(command, env=env, stdout=log, stderr=log))
            started.callback(processes[-1].kill)
        yield server.url
        for process in processes:
            process.send_signal(signal.SIGTERM)
        assert [process.wait(30) for process in processes] == [0, 0]


async def test_an_orchestration_over_two_queues(queue_url, sample_url):
    progress = []
    async with redis_endpoints(queue_url) as endpoints:
        async with asyncio.timeout(READY_S):
            while sum([(await endpoint.health()).workers_ready for endpoint in endpoints.values()]) < 2:
                await asyncio.sleep(0.1)
        answer = await orchestrate(
            OrchestrationRequest(audio=sample_url, response_format="verbose_json"),
            **endpoints,
            deadline_s=120,
            on_progress=progress.append,
        )
    assert "originally from Chicago" in answer["text"]
    assert answer["num_speakers"] == 2
    assert {word["speaker"] for word in answer["words"]} == set(answer["speakers"])
    assert all(answer["timings"][f"{kind}_execution_s"] > 0 for kind in KINDS)
    assert all(answer["timings"][f"{kind}_cold_start_s"] > 0 for kind in KINDS)
    assert progress[-1]["progress"] == 1.0
