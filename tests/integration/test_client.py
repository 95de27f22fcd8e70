import asyncio
import signal
import sys
from contextlib import asynccontextmanager

import pytest

from common.errors import ConfigurationError, EndpointError
from common.settings import load_settings
from orchestrator.client import AsyncParley
from tests.support.fake_endpoint import DIARIZED, HEARD
from tests.support.scripted_server import scripted_server

QUEUED = {"id": "job-1", "status": "IN_QUEUE"}
AUDIO = "https://example.org/a.wav"


@asynccontextmanager
async def client(output, **ids):
    final = {"id": "job-1", "status": "COMPLETED", "output": output}
    async with scripted_server({"run": [QUEUED], "status/job-1": [final]}) as script:
        settings = load_settings({"RUNPOD_BASE_URL": script.url, "ORCHESTRATOR_ENDPOINT_ID": "endpoint"})
        async with AsyncParley(settings, **ids) as parley:
            yield parley, script


async def test_the_orchestrator_is_asked_where_there_is_one():
    async with client(HEARD) as (parley, script):
        assert (await parley.transcribe(AUDIO))["text"] == HEARD["text"]
    assert script.asked[0][1]["input"]["response_format"] == "verbose_json"
    assert script.asked[0][1]["input"]["diarize"] is True


async def test_ids_given_in_code_beat_an_orchestrator_in_the_environment():
    async with client(HEARD, transcription_id="endpoint") as (parley, script):
        answer = await parley.transcribe(AUDIO, diarize=False, hotwords=["Ada"])
    assert answer["diarization"] == "not_requested"
    asked = script.asked[0][1]["input"]
    assert asked.pop("request_id") == answer["request_id"]
    assert asked == {"audio": AUDIO, "response_format": "verbose_json", "hotwords": ["Ada"]}


async def test_diarize_returns_the_turns():
    async with client(DIARIZED, diarization_id="endpoint") as (parley, script):
        assert (await parley.diarize(AUDIO, num_speakers=2))["num_speakers"] == 2
    assert script.asked[0][1]["input"] == {"audio": AUDIO, "num_speakers": 2}


async def test_diarize_returns_rttm_where_that_is_asked_for():
    document = "SPEAKER audio 1 0.000 1.000 <NA> <NA> SPEAKER_00 <NA> <NA>\n"
    report = {"model": "fake diarization", "device": "cpu", "timings": {}}
    answer = {"text": document, "format": "rttm", **report}
    async with client(answer, diarization_id="endpoint") as (parley, script):
        assert await parley.diarize(AUDIO, response_format="rttm") == answer
    assert script.asked[0][1]["input"] == {"audio": AUDIO, "response_format": "rttm"}


@pytest.mark.parametrize("output", [None, "text", {}, {"text": "no report"}])
async def test_a_foreign_endpoint_is_named(output):
    async with client(output, diarization_id="endpoint") as (parley, _):
        with pytest.raises(EndpointError, match="check DIARIZATION_ENDPOINT_ID"):
            await parley.diarize(AUDIO)
    async with client(output) as (parley, _):
        with pytest.raises(EndpointError, match="check ORCHESTRATOR_ENDPOINT_ID"):
            await parley.transcribe(AUDIO)


async def test_a_missing_endpoint_is_named():
    async with client(HEARD, transcription_id="endpoint") as (parley, _):
        with pytest.raises(ConfigurationError, match="DIARIZATION_ENDPOINT_ID"):
            await parley.transcribe(AUDIO)


NOTEBOOK = """
import asyncio, sys
from common.settings import load_settings
from orchestrator.client import Parley

async def cell():
    settings = load_settings({"RUNPOD_BASE_URL": sys.argv[1], "ORCHESTRATOR_ENDPOINT_ID": "endpoint"})
    print(Parley(settings).transcribe("https://example.org/a.wav")["text"])

asyncio.new_event_loop().run_until_complete(cell())
"""


async def notebook(script):
    """Run the sync client inside a running event loop, as a notebook does."""
    return await asyncio.create_subprocess_exec(
        sys.executable, "-c", NOTEBOOK, script.url, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )


async def test_the_sync_client_works_in_a_notebook():
    final = {"id": "job-1", "status": "COMPLETED", "output": HEARD}
    async with scripted_server({"run": [QUEUED], "status/job-1": [final]}) as script:
        process = await notebook(script)
        printed, _ = await asyncio.wait_for(process.communicate(), 30)
    assert printed.decode() == f"{HEARD['text']}\n"


async def test_an_interrupt_in_a_notebook_cancels_the_remote_job():
    async with scripted_server({"run": [QUEUED], "status/job-1": [QUEUED], "cancel/job-1": [{}]}) as script:
        process = await notebook(script)
        while not script.count("status/job-1"):
            await asyncio.sleep(0.02)
        process.send_signal(signal.SIGINT)
        await asyncio.wait_for(process.communicate(), 10)
        assert script.count("cancel/job-1") == 1
    assert process.returncode != 0
