import json

import pytest

from common.audio.limits import AudioLimits
from common.contract import DiarizationFields
from common.results import DiarizationResult
from common.timeline import Turn
from handlers.diarization.engine import Diarization
from handlers.diarization.fake import FakeDiarization
from handlers.diarization.handler import diarization_worker, diarize
from tests.support.audio_jobs import job, tone


def no_tick(stage, fraction):
    pass


class Precise(FakeDiarization):
    """Two who overlap for a moment, at times that no clock shows."""

    def diarize(self, samples, *, count, tick):
        first, second = Turn(0.12345, 1.00049, "SPEAKER_00"), Turn(0.75, 2.0, "SPEAKER_01")
        return Diarization(turns=(first, second), exclusive=(first,), embeddings={"SPEAKER_00": [0.123456789]})


async def answered(engine, **fields):
    async def no_post(job, progress):
        pass

    return await diarization_worker(engine, limits=AudioLimits(), post=no_post)(job(**fields))


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
    assert found["speech_seconds"] == {"SPEAKER_00": 2.0, "SPEAKER_01": 1.0}
    assert found["overlap_seconds"] == 0.0
    assert (found["model"], found["device"], found["warnings"]) == ("fake diarization", "cpu", [])


def test_times_are_rounded_to_milliseconds():
    found = result(engine=Precise(), return_embeddings=True)
    assert found["segments"] == [
        {"start": 0.123, "end": 1.0, "speaker": "SPEAKER_00"},
        {"start": 0.75, "end": 2.0, "speaker": "SPEAKER_01"},
    ]
    assert found["exclusive_segments"] == found["segments"][:1]
    assert found["speech_seconds"] == {"SPEAKER_00": 0.877, "SPEAKER_01": 1.25}
    assert found["overlap_seconds"] == 0.25
    assert found["embeddings"] == {"SPEAKER_00": [0.123457]}


async def test_rttm_stands_in_place_of_the_segments():
    as_json = await answered(Precise())
    as_rttm = await answered(Precise(), response_format="rttm")
    assert as_rttm.pop("text") == (
        "SPEAKER audio 1 0.123 0.877 <NA> <NA> SPEAKER_00 <NA> <NA>\n"
        "SPEAKER audio 1 0.750 1.250 <NA> <NA> SPEAKER_01 <NA> <NA>\n"
    )
    assert as_rttm.pop("format") == "rttm"
    assert as_json.keys() - as_rttm.keys() == {"segments", "exclusive_segments"}
    assert all(as_json[key] == value for key, value in as_rttm.items() if key != "timings")


async def test_rttm_of_silence_is_empty():
    answer = await answered(FakeDiarization(speakers=1), response_format="rttm", seconds=0.5)
    assert (answer["text"], answer["speech_seconds"], answer["overlap_seconds"]) == ("", {}, 0.0)


@pytest.mark.parametrize(
    ("param", "value"),
    [("return_embeddings", True), ("known_speakers", [{"name": "Ada", "audio": "https://example.org/ada.wav"}])],
)
async def test_an_engine_without_embeddings_says_so_before_anything_is_fetched(monkeypatch, param, value):
    monkeypatch.setattr("handlers.worker.fetch_audio", lambda *_, **__: pytest.fail("fetched"))
    monkeypatch.setattr("handlers.further_audio.fetch_audio", lambda *_, **__: pytest.fail("fetched"))
    error = json.loads((await answered(FakeDiarization(embedding_dimension=0), **{param: value}))["error"])
    assert (error["code"], error["param"]) == ("invalid_input", param)
    assert error["message"] == (
        f"the model fake diarization has no speaker embeddings: leave {param} out, or have the worker run a pyannote "
        "pipeline (DIARIZATION_MODEL)"
    )


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
