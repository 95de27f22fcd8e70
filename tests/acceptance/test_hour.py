"""An hour from a local file in one request: client, platform, orchestrator and the worker's decoding are all real."""

import os
import sys

import aiohttp
import numpy as np
import pytest
import soundfile

from common.audio import encode
from common.audio.limits import SAMPLE_RATE
from orchestrator.client import AsyncParley
from orchestrator.local.platform import LocalPlatform, PlatformSettings
from orchestrator.local.supervisor import Supervisor, WorkerCommand
from tests.support.audio_files import melody
from tests.support.platform_client import API_KEY, Caller

HOUR_S = 3600
ENDPOINTS = {"orchestrator": "orchestrator.handler", "transcription": "tests.support.listening_worker"}


@pytest.fixture
def hour(tmp_path):
    """20 minutes each of three tones in noise; 115 MB, more than ten times what a request may have."""
    path = tmp_path / "hour.wav"
    noise = np.random.default_rng(0).normal(0, 0.05, 20 * SAMPLE_RATE)
    with soundfile.SoundFile(path, "w", samplerate=SAMPLE_RATE, channels=1, subtype="PCM_16") as file:
        for third in np.array_split(melody(SAMPLE_RATE, seconds=60)[:, 0], 3):
            for _ in range(60):
                file.write(third + noise)
    return path


def commands(platform):
    client_env = {
        "RUNPOD_BASE_URL": platform.base_url,
        "RUNPOD_API_KEY": API_KEY,
        "DIARIZATION_ENDPOINT_ID": "none",
        "TRANSCRIPTION_ENDPOINT_ID": "transcription",
    }
    return [
        WorkerCommand(endpoint_id=name, argv=(sys.executable, "-m", module), env={**os.environ, **client_env})
        for name, module in ENDPOINTS.items()
    ]


async def test_an_hour_goes_through_run_in_one_request(hour, tmp_path, monkeypatch):
    monkeypatch.setattr(encode, "COMPLEXITY", 0)  # as many bytes, in less time
    async with (
        LocalPlatform(list(ENDPOINTS), PlatformSettings(api_key=API_KEY)) as platform,
        Supervisor(platform, commands(platform), log_folder=tmp_path / "logs") as supervisor,
        aiohttp.ClientSession() as session,
        AsyncParley(base_url=platform.base_url, api_key=API_KEY, orchestrator_id="orchestrator") as client,
    ):
        await supervisor.wait_ready(120)
        answer = await client.transcribe(hour, diarize=False, response_format="verbose_json", deadline_s=120)
        counts = [(await Caller(platform, name, session).ok("GET", "health"))["jobs"] for name in ENDPOINTS]
    assert answer["duration"] == pytest.approx(HOUR_S, abs=0.1)
    assert [(word["word"], round(word["start"])) for word in answer["words"]] == [
        ("300Hz", 600),
        ("700Hz", 1800),
        ("1500Hz", 3000),
    ]
    assert [(jobs["completed"], jobs["failed"], jobs["retried"]) for jobs in counts] == [(1, 0, 0)] * 2
