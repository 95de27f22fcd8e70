"""The combined worker, job in and answer out, beside the orchestrator with a worker for each model."""

import asyncio
import json
from functools import partial

import pytest

from common.audio.limits import AudioLimits
from common.contract import DiarizationRequest, OrchestrationRequest, TranscriptionRequest, parse_request
from common.errors import EndpointError, EngineError, parse_runpod_error
from common.job import Boundary, answer_job
from common.settings import load_settings
from handlers import further_audio
from handlers.combined.handler import combined_worker
from handlers.diarization.fake import FakeDiarization
from handlers.diarization.handler import diarize
from handlers.diarization.known import voice_sources
from handlers.transcription.fake import FakeTranscription
from handlers.transcription.handler import transcribe
from handlers.worker import Worker
from orchestrator.endpoints import JobResult
from orchestrator.pipeline import orchestrate
from tests.support.audio_jobs import job, tone, wav_base64

WORDS = [{"word": "Hi,", "start": 0.1, "end": 0.4}, {"word": "Ada.", "start": 1.2, "end": 1.5}]
MUST_NOT_RUN = EngineError("must not run")


async def no_post(job, progress):
    pass


async def combined(fields, *, transcription=None, diarization=None):
    engines = transcription or FakeTranscription(), diarization or FakeDiarization()
    return await combined_worker(*engines, settings=load_settings({}), post=no_post)(
        job(response_format="json", **fields)
    )


class WorkerEndpoint:
    """An endpoint with one worker, in this process."""

    def __init__(self, name, request_type, infer, **more):
        self.name = name
        self.worker = Worker(
            name=name, request_type=request_type, infer=infer, limits=AudioLimits(), post_progress=no_post, **more
        )

    async def run(self, job_input, *, deadline_s, on_progress=None, options=None):
        output = await self.worker({"id": "job-1", "input": job_input})
        if "error" in output:
            remote = parse_runpod_error(output["error"])
            raise EndpointError(remote["message"], endpoint=self.name, remote=remote)
        return JobResult(job_id="job-1", output=output, queue_s=0.0, execution_s=0.0)


async def orchestrated(fields):
    diarization = partial(diarize, FakeDiarization())
    endpoints = {
        "diarization": WorkerEndpoint("diarization", DiarizationRequest, diarization, further_audio=voice_sources),
        "transcription": WorkerEndpoint(
            "transcription", TranscriptionRequest, partial(transcribe, FakeTranscription())
        ),
    }

    async def answer(asked):
        request = parse_request(OrchestrationRequest, asked["input"])
        return await orchestrate(request, **endpoints, deadline_s=60)

    return await answer_job(job(response_format="json", **fields), answer, worker="orchestrator", boundary=Boundary())


def told(answer):
    """Return what of an answer does not depend on the time it took and the machine that failed."""
    if "error" in answer:
        error = json.loads(answer["error"])
        return {name: error[name] for name in ("code", "message", "param", "retryable")}
    return {name: value for name, value in answer.items() if name != "timings"}


def known(*recordings):
    return [{"name": f"voice {number}", "audio": audio} for number, audio in enumerate(recordings)]


@pytest.mark.parametrize(
    "recording", ["http://127.0.0.1/x.wav", "not base64!", "AAAA", wav_base64(tone(0.5))], ids=lambda text: text[:20]
)
@pytest.mark.parametrize("words", [{}, {"words": WORDS}], ids=["transcribed", "earlier words"])
async def test_a_bad_recording_of_a_voice_degrades_as_it_does_in_the_orchestrator(recording, words):
    fields = {"known_speakers": known(recording), "on_diarization_failure": "degrade", **words}
    answer = await combined(fields)
    assert answer["diarization"] == "failed"
    assert answer["text"]
    assert answer["warnings"][-1].startswith(
        "diarization failed, so that words have no speakers: known_speakers.0.audio"
    )
    assert told(answer) == told(await orchestrated(fields))


@pytest.mark.parametrize("recording", ["http://127.0.0.1/x.wav", "not base64!", "AAAA"])
async def test_a_bad_recording_of_a_voice_fails_at_once_where_speakers_are_needed(recording):
    fields = {"known_speakers": known(wav_base64(tone(1.0)), recording)}
    mute = {"transcription": FakeTranscription(error=MUST_NOT_RUN), "diarization": FakeDiarization(error=MUST_NOT_RUN)}
    answer = told(await combined(fields, **mute))
    assert answer["param"] == "known_speakers.1.audio"
    assert answer == told(await orchestrated(fields))


async def test_a_job_stopped_while_a_voice_is_fetched_is_not_degraded(monkeypatch):
    fetching = asyncio.Event()

    async def hang(source, folder, *, limits):
        fetching.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(further_audio, "fetch_audio", hang)
    fields = {"known_speakers": known("https://example.org/a.wav"), "on_diarization_failure": "degrade"}
    task = asyncio.create_task(combined(fields))
    await fetching.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"words": WORDS, "diarize": False}, "find their speakers anew"),
        ({"name_speakers": True}, "SPEAKER_NAMING_URL"),
        ({"name_speakers": True, "diarize": False}, "there are no speakers"),
    ],
)
async def test_what_cannot_be_met_is_refused_before_anything_is_fetched(monkeypatch, fields, message):
    monkeypatch.setattr("handlers.worker.fetch_audio", lambda *_, **__: pytest.fail("fetched"))
    answer = told(await combined(fields))
    assert message in answer["message"]
    assert answer == told(await orchestrated(fields))


@pytest.mark.parametrize(
    ("param", "value"), [("return_embeddings", True), ("known_speakers", known("https://example.org/ada.wav"))]
)
async def test_embeddings_of_an_engine_without_them_are_refused_before_anything_is_fetched(monkeypatch, param, value):
    monkeypatch.setattr("handlers.worker.fetch_audio", lambda *_, **__: pytest.fail("fetched"))
    monkeypatch.setattr(further_audio, "fetch_audio", lambda *_, **__: pytest.fail("fetched"))
    answer = told(await combined({param: value}, diarization=FakeDiarization(embedding_dimension=0)))
    assert (answer["code"], answer["param"]) == ("invalid_input", param)
    assert f"no speaker embeddings: leave {param} out" in answer["message"]


@pytest.mark.parametrize(
    ("fields", "diarization"),
    [({"on_diarization_failure": "degrade"}, "failed"), ({"diarize": False}, "not_requested")],
)
async def test_words_do_not_need_embeddings(fields, diarization):
    engine = FakeDiarization(embedding_dimension=0)
    answer = await combined({"return_embeddings": True, **fields}, diarization=engine)
    assert (answer["diarization"], answer["text"]) == (diarization, "word0 word1 word2 word3")
    if diarization == "failed":
        assert "no speaker embeddings: leave return_embeddings out" in answer["warnings"][-1]
