import asyncio

import pytest

from common.contract import OrchestrationRequest
from common.errors import EngineError, JobCancelledError
from common.results import OrchestrationResult
from common.settings import NamingSettings
from handlers.combined.handler import transcribe_and_diarize
from handlers.diarization.fake import FakeDiarization
from handlers.transcription.fake import FakeTranscription
from tests.support.audio_jobs import tone
from tests.support.fake_chat_server import chat_server, names, refuses

WORDS = [{"word": "Hi,", "start": 1.2, "end": 1.5}, {"word": "I'm", "start": 0.1, "end": 0.4}]
MUTE = FakeTranscription(error=EngineError("must not run"))


def no_tick(stage, fraction):
    pass


def result(*, diarization=None, transcription=MUTE, tick=no_tick, recordings=None, naming=None, **fields):
    request = OrchestrationRequest.model_validate({"audio": "x", "response_format": "verbose_json", **fields})
    engines = transcription, diarization or FakeDiarization()
    return transcribe_and_diarize(
        *engines, request, tone(2.0), tick, recordings or {}, naming=naming or NamingSettings()
    )


def speakers(answer):
    return [word.get("speaker", "not asked") for word in answer["words"]]


def test_earlier_words_get_speakers_and_nothing_is_transcribed():
    answer = result(words=WORDS, language="en")
    assert [(word["word"], word["speaker"]) for word in answer["words"]] == [
        ("Hi,", "SPEAKER_01"),
        ("I'm", "SPEAKER_00"),
    ]
    assert (answer["model"], answer["models"]) == ("fake diarization", {"diarization": "fake diarization"})
    assert (answer["language"], answer["duration"], answer["coverage"]["speech_s"]) == ("en", 2.0, 2.0)
    assert OrchestrationResult.model_validate({**answer, "timings": {}}).num_speakers == 2


def test_earlier_words_survive_a_failed_diarization_where_that_is_asked():
    broken = FakeDiarization(error=EngineError("out of memory"))
    with pytest.raises(EngineError, match="out of memory"):
        result(diarization=broken, words=WORDS)
    answer = result(diarization=broken, words=WORDS, on_diarization_failure="degrade")
    assert (answer["diarization"], answer["models"], speakers(answer)) == ("failed", {}, ["not asked"] * 2)
    stopped = FakeDiarization(error=JobCancelledError("stopped"))
    with pytest.raises(JobCancelledError):
        result(diarization=stopped, words=WORDS, on_diarization_failure="degrade")


def test_the_whole_progress_of_a_rediarization_is_the_diarizations():
    ticks = []
    result(words=WORDS, tick=lambda _, fraction: ticks.append(fraction))
    assert ticks == [0.0, 1.0]


def test_known_voices_are_recognised():
    known = [{"name": "Sheila", "embedding": [1.0, 1.0]}, {"name": "Ada", "audio": "https://example.org/ada.wav"}]
    answer = result(words=WORDS, known_speakers=known, recordings={"known_speakers.1.audio": tone(1.0)})
    assert speakers(answer) == ["Sheila", "Ada"]
    assert [(match["speaker"], match["name"]) for match in answer["speaker_matches"]] == [
        ("SPEAKER_00", "Ada"),
        ("SPEAKER_01", "Sheila"),
    ]


async def named(*replies, tick=no_tick, words=WORDS):
    """Run the combined worker's inference beside a chat server, as the worker does: in a thread."""
    async with chat_server(*replies) as server:
        naming = NamingSettings(url=server.url, model="llama3.2")
        work = asyncio.to_thread(result, name_speakers=True, naming=naming, tick=tick, words=words)
        return await work, server


async def test_speakers_are_named_by_the_language_model():
    words = [{"word": "I'm", "start": 0.1, "end": 0.4}, {"word": "Sheila.", "start": 0.5, "end": 0.9}]
    answer, server = await named(names(SPEAKER_00="Sheila"), words=words)
    assert speakers(answer) == ["Sheila", "Sheila"]
    assert answer["speaker_names"] == {"SPEAKER_00": "Sheila"}
    assert len(server.asked) == 1


async def test_names_that_cannot_be_had_are_a_warning():
    answer, _ = await named(refuses("boom", status=500))
    assert answer["warnings"][-1].startswith("speakers were not named: the speaker naming endpoint failed (500)")
    assert speakers(answer) == ["SPEAKER_01", "SPEAKER_00"]


async def test_a_job_stopped_while_names_are_asked_for_ends_at_once():
    def tick(stage, fraction):
        if stage == "naming" and fraction >= 0.95:
            raise JobCancelledError("the job was cancelled")

    with pytest.raises(JobCancelledError):
        await asyncio.wait_for(named(None, tick=tick), 5)
