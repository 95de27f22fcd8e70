"""A worker of the real SDK loop: its log lines by request, its cold start, its metrics."""

import json
import os
import sys
import time
from contextlib import asynccontextmanager

import aiohttp
import pytest

from orchestrator.local.platform import LocalPlatform, PlatformSettings
from orchestrator.local.supervisor import Supervisor, WorkerCommand
from tests.support.audio_jobs import job
from tests.support.metric_lines import samples_in
from tests.support.platform_client import API_KEY, Caller


@asynccontextmanager
async def reporting(folder, port):
    env = {**os.environ, "LOG_FORMAT": "json", "METRICS_PORT": str(port), "RUNPOD_LOG_LEVEL": "INFO"}
    command = WorkerCommand(endpoint_id="jobs", argv=(sys.executable, "-m", "tests.support.reporting_worker"), env=env)
    async with (
        LocalPlatform(("jobs",), PlatformSettings(api_key=API_KEY)) as platform,
        Supervisor(platform, [command], log_folder=folder) as supervisor,
        aiohttp.ClientSession() as session,
    ):
        await supervisor.wait_ready(60)
        yield Caller(platform, "jobs", session)


def parley_lines(folder):
    (log,) = folder.rglob("*.log")
    return [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{") and '"logger"' in line]


async def test_a_worker_tells_what_it_does(tmp_path, unused_tcp_port):
    began = time.monotonic()
    async with reporting(tmp_path, unused_tcp_port) as jobs:
        ready_s = time.monotonic() - began
        first = await jobs.runsync(job(2.0, request_id="req-1")["input"])
        second = await jobs.runsync(job(3.0, request_id="req-2")["input"])
        refused = await jobs.runsync({"audio": "AAAA", "request_id": "req-3"})
        async with jobs.session.get(f"http://127.0.0.1:{unused_tcp_port}/metrics") as answer:
            found = samples_in(await answer.text())
    cold_start_s = first["output"]["timings"]["cold_start_s"]
    assert 0.1 < cold_start_s < ready_s
    assert second["output"]["timings"]["cold_start_s"] == 0.0
    lines = parley_lines(tmp_path)
    told = [(line["request_id"], line["event"], line["job_id"]) for line in lines if "request_id" in line]
    assert told == [
        ("req-1", "decoding 32000 samples", first["id"]),
        ("req-1", "job_done", first["id"]),
        ("req-2", "decoding 48000 samples", second["id"]),
        ("req-2", "job_done", second["id"]),
        ("req-3", "job_failed", refused["id"]),
    ]
    assert [line["cold_start_s"] for line in lines if line["event"] == "job_done"] == [cold_start_s, 0.0]
    assert found["parley_jobs_total", "ok", "diarization"] == 2
    assert found["parley_jobs_total", json.loads(refused["error"])["code"], "diarization"] == 1
    assert found["parley_jobs_in_progress", "diarization"] == 0
    assert found["parley_audio_seconds_total", "diarization"] == 5.0
    assert found["parley_cold_start_seconds_sum", "diarization"] == pytest.approx(cold_start_s, abs=0.001)
    assert found["parley_cold_start_seconds_count", "diarization"] == 1
    assert found["parley_job_execution_seconds_count", "diarization"] == 3
