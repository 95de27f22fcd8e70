import json
from dataclasses import replace

import pytest

from common.errors import ConfigurationError
from common.settings import NamingSettings, load_settings
from orchestrator import handler
from orchestrator.handler import Orchestrator, check_endpoints
from tests.support.fake_chat_server import chat_server, names
from tests.support.fake_endpoint import DIARIZED, HEARD
from tests.support.scripted_server import scripted_server

JOB = {"id": "job-9", "input": {"audio": "https://example.org/a.wav", "diarize": False}}
RUNNING = {"id": "job-1", "status": "IN_PROGRESS", "output": {"stage": "decoding", "progress": 0.5}}


def settings(url):
    env = {"RUNPOD_BASE_URL": url, "RUNPOD_API_KEY": "key", "TRANSCRIPTION_ENDPOINT_ID": "endpoint"}
    return load_settings({**env, "DIARIZATION_ENDPOINT_ID": "endpoint"})


async def answered(job, status, *, naming=None):
    posted = []

    async def post(job, progress):
        posted.append((job["id"], progress))

    async with scripted_server({"run": [{"id": "job-1"}], "status/job-1": [RUNNING] * 12 + [status]}) as script:
        configured = replace(settings(script.url), naming=naming or NamingSettings())
        return await Orchestrator(configured, post=post)(job), posted


async def test_a_job_is_answered_and_its_progress_posted():
    answer, posted = await answered(JOB, {"status": "COMPLETED", "output": HEARD})
    assert answer["text"] == "Hello there. Hi."
    assert posted[0] == ("job-9", {"stage": "transcription", "progress": 0.5, "transcription": 0.5})


async def test_a_failed_child_is_the_error_of_the_job():
    error = json.dumps({"code": "empty_audio", "message": "no samples", "param": "audio", "retryable": False})
    answer, _ = await answered(JOB, {"status": "FAILED", "error": error})
    assert json.loads(answer["error"])["code"] == "empty_audio"
    assert json.loads(answer["error"])["endpoint"] == "transcription"


async def test_a_bad_request_reaches_no_endpoint():
    answer, posted = await answered({"id": "job-9", "input": {"audio": "x", "speakers": 2}}, None)
    assert json.loads(answer["error"])["param"] == "speakers"
    assert posted == []


async def test_earlier_words_are_given_speakers_and_names():
    words = [*HEARD["words"][:2], {"word": "Sheila.", "start": 1.2, "end": 1.5}]
    job = {"id": "job-9", "input": {**JOB["input"], "diarize": True, "words": words, "name_speakers": True}}
    async with chat_server(names(SPEAKER_01="Sheila")) as chat:
        naming = NamingSettings(url=chat.url, model="llama3.2")
        answer, posted = await answered(job, {"status": "COMPLETED", "output": DIARIZED}, naming=naming)
    assert (answer["text"], answer["speaker_names"]) == ("Hello there. Sheila.", {"SPEAKER_01": "Sheila"})
    assert posted[0][1]["stage"] == "diarization"


async def test_names_without_a_language_model_reach_no_endpoint():
    job = {"id": "job-9", "input": {**JOB["input"], "diarize": True, "name_speakers": True}}
    answer, posted = await answered(job, None)
    error = json.loads(answer["error"])
    assert (error["code"], error["param"], posted) == ("invalid_input", "name_speakers", [])


def test_a_worker_that_knows_no_endpoints_does_not_start(monkeypatch, capsys):
    with pytest.raises(ConfigurationError, match="DIARIZATION_ENDPOINT_ID, TRANSCRIPTION_ENDPOINT_ID, RUNPOD_API_KEY"):
        check_endpoints(load_settings({}).endpoints)
    for name in ("DIARIZATION_ENDPOINT_ID", "TRANSCRIPTION_ENDPOINT_ID", "RUNPOD_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(SystemExit) as caught:
        handler.main()
    assert caught.value.code == 78
    assert capsys.readouterr().err.startswith("PARLEY-FATAL set DIARIZATION_ENDPOINT_ID")
