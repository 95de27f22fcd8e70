from dataclasses import dataclass, replace

import pytest

from common.contract import OrchestrationRequest
from common.coverage import Coverage
from common.errors import EngineError, JobCancelledError
from handlers.combined.handler import transcribe_and_diarize
from handlers.diarization.fake import FakeDiarization
from handlers.transcription.fake import FakeTranscription
from tests.support.audio_jobs import tone


@dataclass
class HardOfHearing(FakeTranscription):
    """Hears only the words of the first second at first; `then` is raised when asked again."""

    then: Exception | None = None
    calls: int = 0

    def transcribe(self, samples, **asked):
        self.calls += 1
        if self.calls > 1 and self.then:
            raise self.then
        found = super().transcribe(samples, **asked)
        return replace(found, words=found.words[:2]) if self.calls == 1 else found


def result(engine, ticks=None, **fields):
    request = OrchestrationRequest(**{"audio": "x", "response_format": "verbose_json", **fields})
    seen = [] if ticks is None else ticks
    return transcribe_and_diarize(
        engine, FakeDiarization(), request, tone(6.0), lambda _, fraction: seen.append(fraction)
    )


def starts(answer):
    return [word["start"] for word in answer["words"]]


def test_speech_without_words_is_decoded_again():
    engine = HardOfHearing()
    answer = result(engine)
    assert engine.calls == 2
    assert answer["words"][0] == {"word": "word0", "start": 0.0, "end": 0.4, "confidence": 0.5, "speaker": "SPEAKER_00"}
    assert starts(answer) == [half / 2 for half in range(12)]
    assert answer["words"][-1]["speaker"] == "SPEAKER_01"
    assert (answer["coverage"]["speech_s"], answer["coverage"]["empty"]) == (6.0, [])
    assert answer["coverage"]["repaired_s"] == 4.9
    assert answer["warnings"] == []


def test_the_repair_asks_for_the_hole_with_what_is_around_it_in_the_language_of_the_rest():
    engine = HardOfHearing()
    result(engine, hotwords=["Ada"])
    first, repair = engine.asked
    assert (first.spans, first.language) == (None, None)
    assert (repair.spans, repair.language, repair.hotwords) == (((1_600, 96_000),), "en", ("Ada",))


def test_what_the_engine_found_empty_is_not_tried_again():
    engine = HardOfHearing(coverage=Coverage(speech_s=6.0, repaired_s=0.25, empty=((1.0, 6.0),)))
    answer = result(engine)
    assert (engine.calls, starts(answer)) == (1, [0.0, 0.5])
    assert answer["coverage"]["repaired_s"] == 0.25


def test_repair_can_be_left_out():
    engine = HardOfHearing()
    answer = result(engine, repair=False)
    assert (engine.calls, starts(answer)) == (1, [0.0, 0.5])
    assert answer["coverage"]["empty"] == [{"start": 1.1, "end": 6.0}]
    assert answer["warnings"] == ["4.9 s of speech have no words (see coverage)"]


def test_without_diarization_nothing_is_known_to_be_missing():
    engine = HardOfHearing()
    answer = result(engine, diarize=False)
    assert (engine.calls, "coverage" in answer) == (1, False)


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        (EngineError("out of memory"), "out of memory"),
        (RuntimeError("CUDA at /root"), "the transcription model failed"),
    ],
)
def test_a_failed_repair_leaves_the_words_and_warns(failure, reason):
    answer = result(HardOfHearing(then=failure))
    assert starts(answer) == [0.0, 0.5]
    assert answer["warnings"][0].startswith(f"speech without words was not decoded again: {reason}")
    assert "/root" not in answer["warnings"][0]
    assert answer["coverage"]["empty"] == [{"start": 1.1, "end": 6.0}]


def test_a_stopped_repair_stops_the_job():
    with pytest.raises(JobCancelledError):
        result(HardOfHearing(then=JobCancelledError("stopped")))


def test_progress_leaves_room_for_the_repair():
    ticks = []
    result(HardOfHearing(), ticks)
    assert ticks == sorted(ticks)
    assert any(0.9 < fraction < 1.0 for fraction in ticks)
