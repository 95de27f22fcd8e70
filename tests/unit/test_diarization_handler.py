import pytest

from common.contract import DiarizationFields
from common.results import DiarizationResult
from common.timeline import Turn
from handlers.diarization.engine import Diarization
from handlers.diarization.fake import FakeDiarization
from handlers.diarization.handler import diarize
from tests.support.audio_jobs import tone


def no_tick(stage, fraction):
    pass


def result(seconds=3.5, engine=None, **fields):
    return diarize(engine or FakeDiarization(), DiarizationFields(**fields), tone(seconds), no_tick)


def test_the_result_is_the_contracts():
    found = result()
    assert DiarizationResult.model_validate({**found, "timings": {}}).duration == 3.5
    assert found["segments"] == [
        {"start": 0.0, "end": 1.0, "speaker": "SPEAKER_00"},
        {"start": 1.0, "end": 2.0, "speaker": "SPEAKER_01"},
        {"start": 2.0, "end": 3.0, "speaker": "SPEAKER_00"},
    ]
    assert found["exclusive_segments"] == found["segments"]
    assert (found["num_speakers"], found["speakers"]) == (2, ["SPEAKER_00", "SPEAKER_01"])
    assert (found["model"], found["device"], found["warnings"]) == ("fake diarization", "cpu", [])


def test_times_are_rounded_to_milliseconds():
    class Precise(FakeDiarization):
        def diarize(self, samples, *, count, tick):
            turns = (Turn(0.12345, 1.00049, "SPEAKER_00"),)
            return Diarization(turns=turns, exclusive=turns, embeddings={"SPEAKER_00": [0.123456789]})

    found = result(engine=Precise(), return_embeddings=True)
    assert found["segments"] == [{"start": 0.123, "end": 1.0, "speaker": "SPEAKER_00"}]
    assert found["embeddings"] == {"SPEAKER_00": [0.123457]}


def test_embeddings_come_only_when_asked_for():
    assert "embeddings" not in result()
    assert result(return_embeddings=True)["embeddings"] == {"SPEAKER_00": [0.0, 1.0], "SPEAKER_01": [1.0, 1.0]}


def test_silence_has_no_speakers_and_no_warning():
    found = result(seconds=0.5, num_speakers=2)
    assert (found["segments"], found["num_speakers"], found["speakers"], found["warnings"]) == ([], 0, [], [])


@pytest.mark.parametrize(
    ("fields", "warning"),
    [
        ({"min_speakers": 3}, "at least 3 speakers were asked for, but 2 could be told apart"),
        ({"max_speakers": 1}, "at most 1 speakers were asked for, but 2 could be told apart"),
        ({"min_speakers": 3, "max_speakers": 5}, "at least 3 speakers were asked for, but 2 could be told apart"),
    ],
)
def test_a_number_of_speakers_that_could_not_be_met_is_a_warning(fields, warning):
    assert result(**fields)["warnings"] == [warning]


def test_the_engines_own_warnings_come_first():
    engine = FakeDiarization(warnings=("the device cuda failed",))
    assert result(engine=engine, num_speakers=5)["warnings"] == [
        "the device cuda failed",
        "5 speakers were asked for, but 3 could be told apart",
    ]
