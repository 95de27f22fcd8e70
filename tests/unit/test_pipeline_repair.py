import asyncio

import pytest

from common.contract import OrchestrationRequest
from common.errors import EndpointError, JobCancelledError
from common.results import OrchestrationResult
from orchestrator.pipeline import orchestrate
from tests.support.fake_endpoint import DIARIZED, HEARD, FakeEndpoint

TURNS = [{"start": 0.0, "end": 4.0, "speaker": "SPEAKER_00"}, {"start": 4.0, "end": 9.0, "speaker": "SPEAKER_01"}]
WORKER_COVERAGE = {"speech_s": 8.0, "repaired_s": 0.5, "empty_s": 0.0, "empty": [], "failed": []}
FOUND = [
    {"word": "hi.", "start": 1.55, "end": 1.65},  # heard before: "Hi." from 1.2 to 1.5
    {"word": "General", "start": 2.0, "end": 2.8},
    {"word": "Kenobi.", "start": 2.9, "end": 3.9},
    {"word": "You", "start": 4.2, "end": 4.5},
]
EMPTY = {"start": 4.7, "end": 9.0}
WARNING = "4.3 s of speech have no words (see coverage)"


def request(**fields):
    return OrchestrationRequest(**{"audio": "https://example.org/a.wav", "response_format": "verbose_json", **fields})


def endpoints(*, first=None, **repair):
    """Return the two endpoints; the transcription's second answer, the repair, is as given."""
    then = FakeEndpoint("transcription", **{"output": {**HEARD, "duration": 9.0, "words": FOUND}, **repair})
    words = FakeEndpoint("transcription", output={**HEARD, "duration": 9.0, **(first or {})}, then=then)
    speakers = FakeEndpoint("diarization", output={**DIARIZED, "segments": TURNS, "duration": 9.0})
    return {"diarization": speakers, "transcription": words}


async def answered(children, *, deadline_s=90.0, on_progress=None, **fields):
    return await orchestrate(request(**fields), **children, deadline_s=deadline_s, on_progress=on_progress)


def said(answer):
    return " ".join(word["word"] for word in answer["words"])


async def test_speech_without_words_is_decoded_again_and_its_words_have_speakers():
    answer = await answered(endpoints())
    assert said(answer) == "Hello there. Hi. General Kenobi. You"
    assert [word["speaker"] for word in answer["words"]] == ["SPEAKER_00"] * 5 + ["SPEAKER_01"]
    assert answer["coverage"] == {
        "speech_s": 9.0,
        "repaired_s": 3.0,
        "empty_s": 4.3,
        "empty": [EMPTY],
        "failed": [],
    }
    assert answer["warnings"] == [WARNING]
    assert OrchestrationResult.model_validate(answer).coverage.empty[0].end == 9.0


async def test_one_more_job_asks_for_all_holes_at_once():
    children = endpoints()
    await answered(children, hotwords=["Kenobi"], chunk_duration=30.0, request_id="r-1")
    first, repair = children["transcription"].inputs, children["transcription"].then.inputs
    asked = {
        "audio": "https://example.org/a.wav",
        "hotwords": ["Kenobi"],
        "chunk_duration": 30.0,
        "response_format": "verbose_json",
        "request_id": "r-1",
    }
    assert first == [asked]
    assert repair == [{**asked, "language": "en", "spans": [{"start": 0.7, "end": 9.0}]}]


async def test_the_callers_language_is_asked_for_and_an_unknown_one_is_not():
    children = endpoints()
    await answered(children, language="de")
    assert children["transcription"].then.inputs[0]["language"] == "de"
    children = endpoints(first={"language": "und"})
    await answered(children)
    assert "language" not in children["transcription"].then.inputs[0]


async def test_covered_speech_needs_no_second_job():
    words = [{"word": "well", "start": float(second), "end": second + 0.5} for second in range(9)]
    children = endpoints(first={"words": words, "coverage": WORKER_COVERAGE})
    answer = await answered(children)
    assert children["transcription"].then.inputs == []
    assert answer["coverage"] == {**WORKER_COVERAGE, "speech_s": 9.0}
    assert answer["warnings"] == []
    assert "transcription_repair_start_s" not in answer["timings"]


async def test_repair_can_be_left_out():
    children = endpoints()
    answer = await answered(children, repair=False)
    assert children["transcription"].then.inputs == []
    assert answer["coverage"]["empty"] == [{"start": 1.7, "end": 9.0}]
    assert answer["warnings"] == ["7.3 s of speech have no words (see coverage)"]


async def test_what_the_worker_found_empty_is_not_tried_again_and_is_told_once():
    coverage = {**WORKER_COVERAGE, "empty_s": 7.0, "empty": [{"start": 2.0, "end": 9.0}]}
    warnings = ["7.0 s of speech have no words (see coverage)", "slow"]
    children = endpoints(first={"coverage": coverage, "warnings": warnings})
    answer = await answered(children)
    assert children["transcription"].then.inputs == []
    assert answer["warnings"] == ["slow", "7.3 s of speech have no words (see coverage)"]
    assert answer["coverage"]["repaired_s"] == 0.5


async def test_without_speakers_the_workers_coverage_is_the_answers():
    coverage = {**WORKER_COVERAGE, "empty_s": 4.3, "empty": [EMPTY]}
    children = endpoints(first={"coverage": coverage, "warnings": [WARNING]})
    answer = await answered(children, diarize=False)
    assert answer["coverage"] == coverage
    assert answer["warnings"] == [WARNING]
    assert children["transcription"].then.inputs == []


@pytest.mark.parametrize(
    ("repair", "reason"),
    [
        ({"error": EndpointError("out of memory", endpoint="transcription")}, "out of memory"),
        ({"error": JobCancelledError("the job was cancelled on the transcription endpoint")}, "was cancelled"),
        ({"output": {"text": "foreign"}}, "check TRANSCRIPTION_ENDPOINT_ID"),
        ({"output": {**HEARD, "words": "none"}}, "check TRANSCRIPTION_ENDPOINT_ID"),
    ],
)
async def test_a_failed_repair_leaves_the_words_and_warns(repair, reason):
    answer = await answered(endpoints(**repair))
    assert said(answer) == "Hello there. Hi."
    assert answer["coverage"]["empty"] == [{"start": 1.7, "end": 9.0}]
    not_tried, wordless = answer["warnings"]
    assert not_tried.startswith("speech without words was not decoded again: ")
    assert reason in not_tried
    assert wordless == "7.3 s of speech have no words (see coverage)"


async def test_a_repair_for_which_no_time_is_left_is_not_started():
    children = endpoints()
    answer = await answered(children, deadline_s=12.0)
    assert children["transcription"].then.inputs == []
    assert "no time is left" in answer["warnings"][0]
    assert said(answer) == "Hello there. Hi."


async def test_the_repair_gets_what_is_left_of_the_deadline_but_for_the_answer():
    children = endpoints()
    await answered(children, deadline_s=60.0)
    assert 49.0 < children["transcription"].then.deadlines[0] <= 50.0


async def test_cancelling_cancels_the_repair():
    children = endpoints(delay_s=60)
    work = asyncio.create_task(answered(children))
    while not children["transcription"].then.inputs:
        await asyncio.sleep(0.01)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert children["transcription"].then.cancelled == 1


async def test_the_times_of_the_repair_are_told_and_are_not_the_orchestrators_own():
    timings = (await answered(endpoints(delay_s=0.3)))["timings"]
    assert timings["transcription_repair_start_s"] >= timings["diarization_end_s"]
    assert timings["transcription_repair_end_s"] - timings["transcription_repair_start_s"] >= 0.3
    assert timings["transcription_repair_queue_s"] == 0.25
    assert timings["transcription_repair_execution_s"] == 0.5
    assert 0.3 <= timings["repair_s"] <= timings["total_s"]
    assert timings["orchestrator_s"] < 0.2


async def test_the_time_of_a_failed_repair_is_not_the_orchestrators_own_either():
    failure = EndpointError("out of memory", endpoint="transcription")
    timings = (await answered(endpoints(delay_s=0.3, error=failure)))["timings"]
    assert timings["total_s"] >= 0.3
    assert timings["orchestrator_s"] < 0.2


async def test_progress_leaves_room_for_the_repair_and_never_falls():
    seen = []
    await answered(endpoints(progress=(0.5,)), on_progress=seen.append)
    figures = [part["progress"] for part in seen]
    assert figures == sorted(figures)
    assert {0.9, 0.95, 1.0} <= set(figures)
    assert seen[-1]["stage"].endswith("transcription_repair")


async def test_a_malformed_coverage_is_the_transcription_endpoints_fault():
    with pytest.raises(EndpointError, match="check TRANSCRIPTION_ENDPOINT_ID"):
        await answered(endpoints(first={"coverage": {"speech_s": "much"}}))
