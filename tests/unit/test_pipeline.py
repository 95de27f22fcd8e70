import asyncio

import pytest

from common.contract import OrchestrationRequest
from common.errors import EndpointError, InvalidInputError
from common.results import OrchestrationResult
from common.settings import PriceSettings
from orchestrator.pipeline import orchestrate, orchestration_of
from tests.support.fake_endpoint import DIARIZED, HEARD, FakeEndpoint


def request(**fields):
    return OrchestrationRequest(**{"audio": "https://example.org/a.wav", "response_format": "verbose_json", **fields})


def diarization(**fields):
    return FakeEndpoint("diarization", output=DIARIZED, **fields)


def transcription(**fields):
    return FakeEndpoint("transcription", output=HEARD, **fields)


def failure(endpoint):
    remote = {"code": "engine_failed", "message": "out of memory", "param": None, "retryable": True}
    return EndpointError("out of memory", endpoint=endpoint, remote=remote)


async def test_every_word_gets_the_speaker_of_its_turn():
    answer = await orchestrate(request(), diarization=diarization(), transcription=transcription(), deadline_s=9)
    assert [(word["word"], word["speaker"]) for word in answer["words"]] == [
        ("Hello", "SPEAKER_00"),
        ("there.", "SPEAKER_00"),
        ("Hi.", "SPEAKER_01"),
    ]
    assert [(part["speaker"], part["text"]) for part in answer["segments"]] == [
        ("SPEAKER_00", "Hello there."),
        ("SPEAKER_01", "Hi."),
    ]
    assert answer["models"] == {"diarization": "fake diarization", "transcription": "fake transcription"}
    assert answer["diarization"] == "completed"
    assert OrchestrationResult.model_validate(answer).num_speakers == 2


async def test_each_child_is_asked_only_what_it_knows():
    speakers, words = diarization(), transcription()
    asked = request(num_speakers=2, language="en", chunk_duration=30.0, return_embeddings=True, request_id="r-1")
    await orchestrate(asked, diarization=speakers, transcription=words, deadline_s=9)
    assert speakers.inputs == [
        {"audio": asked.audio, "num_speakers": 2, "return_embeddings": True, "request_id": "r-1"}
    ]
    assert words.inputs == [
        {
            "audio": asked.audio,
            "language": "en",
            "chunk_duration": 30.0,
            "response_format": "verbose_json",
            "request_id": "r-1",
        }
    ]
    assert 8 < speakers.deadlines[0] <= 9


async def test_children_overlap_in_time():
    answer = await orchestrate(
        request(), diarization=diarization(delay_s=0.2), transcription=transcription(delay_s=0.2), deadline_s=9
    )
    timings = answer["timings"]
    assert timings["diarization_start_s"] < timings["transcription_end_s"]
    assert timings["transcription_start_s"] < timings["diarization_end_s"]
    assert timings["total_s"] < 0.35
    assert timings["orchestrator_s"] < 0.1


async def test_without_diarization_no_child_is_started_for_it():
    speakers = diarization()
    assert await orchestrate(request(diarize=False), diarization=None, transcription=transcription(), deadline_s=9)
    answer = await orchestrate(
        request(diarize=False), diarization=speakers, transcription=transcription(), deadline_s=9
    )
    assert speakers.inputs == []
    assert answer["diarization"] == "not_requested"
    assert all("speaker" not in word for word in answer["words"])


@pytest.mark.parametrize("failing", ["diarization", "transcription"])
async def test_a_failing_child_cancels_the_other(failing):
    children = {
        "diarization": diarization(delay_s=60),
        "transcription": transcription(delay_s=60),
    }
    children[failing].delay_s, children[failing].error = 0.01, failure(failing)
    with pytest.raises(EndpointError, match="out of memory") as caught:
        await orchestrate(request(), **children, deadline_s=90)
    other = next(child for name, child in children.items() if name != failing)
    assert (other.cancelled, other.finished) == (1, 0)
    assert caught.value.envelope() == {
        "code": "engine_failed",
        "message": "out of memory",
        "param": None,
        "retryable": True,
        "endpoint": failing,
    }


async def test_degrade_returns_words_and_says_so():
    speakers = diarization(error=failure("diarization"))
    answer = await orchestrate(
        request(on_diarization_failure="degrade"), diarization=speakers, transcription=transcription(), deadline_s=9
    )
    assert answer["diarization"] == "failed"
    assert answer["text"] == "Hello there. Hi."
    assert any("out of memory" in warning for warning in answer["warnings"])


async def test_degrade_does_not_hide_a_failed_transcription():
    words = transcription(error=failure("transcription"))
    with pytest.raises(EndpointError, match="out of memory"):
        await orchestrate(
            request(on_diarization_failure="degrade"), diarization=diarization(), transcription=words, deadline_s=9
        )


async def test_cancelling_cancels_both_children():
    speakers, words = diarization(delay_s=60), transcription(delay_s=60)
    work = asyncio.create_task(orchestrate(request(), diarization=speakers, transcription=words, deadline_s=90))
    await asyncio.sleep(0.02)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert (speakers.cancelled, words.cancelled) == (1, 1)


async def test_progress_is_the_mean_of_both_and_never_falls():
    seen = []
    await orchestrate(
        request(),
        diarization=diarization(progress=(0.5, 0.4, 1.0)),
        transcription=transcription(progress=(0.2, 0.6)),
        deadline_s=9,
        on_progress=seen.append,
    )
    figures = [part["progress"] for part in seen]
    assert figures == sorted(figures)
    assert figures[-1] == 1.0
    assert {"diarization", "transcription"} <= set(seen[-1])


@pytest.mark.parametrize("output", [None, [], "text", {}, {"text": "only text"}, {**HEARD, "words": "no list"}])
async def test_a_wrong_answer_of_the_transcription_endpoint_is_its_fault(output):
    words = FakeEndpoint("transcription", output=output)
    with pytest.raises(EndpointError, match="transcription endpoint") as caught:
        await orchestrate(request(), diarization=diarization(), transcription=words, deadline_s=9)
    assert not isinstance(caught.value, InvalidInputError)


@pytest.mark.parametrize(
    "output",
    [
        None,
        {},
        {"segments": "none"},
        {**DIARIZED, "segments": [{"start": 1}]},
        {**DIARIZED, "segments": [{"start": 5, "end": 1, "speaker": ""}]},
    ],
)
async def test_a_wrong_answer_of_the_diarization_endpoint_is_its_fault(output):
    speakers = FakeEndpoint("diarization", output=output)
    with pytest.raises(EndpointError, match="diarization endpoint"):
        await orchestrate(request(), diarization=speakers, transcription=transcription(), deadline_s=9)


async def test_text_formats_come_with_their_document():
    answer = await orchestrate(
        request(response_format="text"), diarization=diarization(), transcription=transcription(), deadline_s=9
    )
    assert answer["text"].splitlines() == ["SPEAKER_00: Hello there.", "SPEAKER_01: Hi."]
    assert answer["format"] == "text"


async def test_a_failed_childs_work_is_paid_for_too():
    error = EndpointError("no", endpoint="diarization", execution_s=3.0)
    asked = request(on_diarization_failure="degrade")
    answer = await orchestrate(
        asked,
        diarization=diarization(error=error),
        transcription=transcription(),
        deadline_s=9,
        run=orchestration_of(asked, prices=PriceSettings(diarization=0.5, transcription=2.0)),
    )
    assert answer["diarization"] == "failed"
    assert (answer["cost"]["diarization"], answer["cost"]["transcription"]) == (1.5, 1.0)
