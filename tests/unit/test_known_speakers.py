import pytest

from common.contract import DiarizationFields
from common.errors import InvalidInputError, JobCancelledError
from common.results import DiarizationResult
from common.timeline import Turn
from handlers.diarization.engine import Diarization
from handlers.diarization.fake import FakeDiarization
from handlers.diarization.handler import diarize
from handlers.diarization.known import voice_sources
from tests.support.audio_jobs import tone

FIRST, SECOND = [0.0, 1.0], [1.0, 1.0]  # the fake's embeddings of SPEAKER_00 and SPEAKER_01


def no_tick(stage, fraction):
    pass


def result(*known, seconds=3.0, recordings=None, engine=None, tick=no_tick, **fields):
    request = DiarizationFields(known_speakers=list(known), **fields)
    return diarize(engine or FakeDiarization(), request, tone(seconds), tick, recordings or {})


def refusal(*known, **given):
    with pytest.raises(InvalidInputError) as caught:
        result(*known, **given)
    return caught.value.param, caught.value.message


class Heard(FakeDiarization):
    """Answers what it is given, one diarization per call."""

    def __init__(self, *answers):
        super().__init__()
        self.answers = list(answers)

    def diarize(self, samples, *, count, tick):
        tick("segmentation", 0.5)
        return self.answers.pop(0)


def spoken(embeddings, *turns):
    found = tuple(Turn(*turn) for turn in turns)
    return Diarization(turns=found, exclusive=found, embeddings=embeddings)


def test_a_known_embedding_renames_the_speaker_everywhere():
    found = result({"name": "Ada", "embedding": [2.0, 2.0]}, return_embeddings=True)
    assert [(one["start"], one["speaker"]) for one in found["segments"]] == [
        (0.0, "SPEAKER_00"),
        (1.0, "Ada"),
        (2.0, "SPEAKER_00"),
    ]
    assert found["exclusive_segments"] == found["segments"]
    assert (found["speakers"], found["num_speakers"]) == (["Ada", "SPEAKER_00"], 2)
    assert found["embeddings"] == {"Ada": SECOND, "SPEAKER_00": FIRST}
    assert found["speaker_matches"] == [{"speaker": "SPEAKER_01", "name": "Ada", "similarity": 1.0}]
    DiarizationResult.model_validate({**found, "timings": {}})


def test_a_recording_of_a_voice_is_embedded_by_the_same_engine():
    found = result({"name": "Ada", "audio": "x"}, recordings={"known_speakers.0.audio": tone(1.0)})
    assert found["speaker_matches"] == [{"speaker": "SPEAKER_00", "name": "Ada", "similarity": 1.0}]
    assert found["warnings"] == []


def test_strangers_keep_their_labels_and_that_is_said():
    found = result({"name": "Ada", "embedding": [-1.0, 0.0]})
    assert (found["speakers"], found["speaker_matches"]) == (["SPEAKER_00", "SPEAKER_01"], [])


def test_without_known_speakers_nothing_is_said_of_matches():
    assert "speaker_matches" not in result()


@pytest.mark.parametrize(("threshold", "named"), [(None, False), (0.7, True), (0.71, False)])
def test_the_callers_threshold_overrides_the_models(threshold, named):
    found = result({"name": "Ada", "embedding": SECOND}, seconds=1.0, known_speaker_threshold=threshold)
    assert found["speakers"] == (["Ada"] if named else ["SPEAKER_00"])


def test_a_speaker_too_short_for_an_embedding_stays_unknown():
    engine = Heard(spoken({"SPEAKER_00": FIRST}, (0, 2, "SPEAKER_00"), (2, 2.2, "SPEAKER_01")))
    found = result({"name": "Ada", "embedding": FIRST}, engine=engine)
    assert found["speakers"] == ["Ada", "SPEAKER_01"]


def test_of_several_voices_in_a_recording_the_longest_counts_with_a_warning():
    voice = spoken({"SPEAKER_00": FIRST, "SPEAKER_01": SECOND}, (0, 1, "SPEAKER_00"), (1, 3, "SPEAKER_01"))
    engine = Heard(voice, spoken({"SPEAKER_00": SECOND}, (0, 2, "SPEAKER_00")))
    found = result({"name": "Ada", "audio": "x"}, recordings={"known_speakers.0.audio": tone(3.0)}, engine=engine)
    assert found["speakers"] == ["Ada"]
    assert found["warnings"] == ["known_speakers.0.audio has several voices; the one that speaks longest was taken"]


def test_a_blip_of_another_voice_is_no_warning():
    voice = spoken({"SPEAKER_00": FIRST}, (0, 5, "SPEAKER_00"), (5, 5.9, "SPEAKER_01"))
    engine = Heard(voice, spoken({"SPEAKER_00": FIRST}, (0, 2, "SPEAKER_00")))
    found = result({"name": "Ada", "audio": "x"}, recordings={"known_speakers.0.audio": tone(6.0)}, engine=engine)
    assert (found["speakers"], found["warnings"]) == (["Ada"], [])


def test_a_recording_without_speech_is_refused_by_its_field():
    known = [{"name": "Ada", "embedding": FIRST}, {"name": "Bob", "audio": "x"}]
    param, message = refusal(*known, recordings={"known_speakers.1.audio": tone(0.5)})
    assert param == "known_speakers.1.audio"
    assert message.startswith("known_speakers.1.audio has too little speech")


@pytest.mark.parametrize(
    ("known", "param"),
    [
        ({"name": "Ada", "embedding": [1.0, 2.0, 3.0]}, "known_speakers.0.embedding"),
        ({"name": "Ada", "embedding": [0.0, 0.0]}, "known_speakers.0.embedding"),
    ],
)
def test_what_cannot_be_used_is_refused_before_the_model_runs(known, param):
    assert refusal(known, engine=FakeDiarization(error=AssertionError("ran")))[0] == param


def test_progress_goes_on_through_voices_and_job_by_their_lengths():
    ticks = []
    known = [{"name": name, "audio": "x"} for name in ("Ada", "Bob")]
    recordings = {f"known_speakers.{number}.audio": tone(1.0) for number in range(2)}
    result(*known, seconds=2.0, recordings=recordings, tick=lambda *tick: ticks.append(tick))
    assert ticks == [
        ("known_speakers", 0.0),
        ("known_speakers", 0.25),
        ("known_speakers", 0.25),
        ("known_speakers", 0.5),
        ("segmentation", 0.5),
        ("embeddings", 1.0),
    ]


def test_a_job_stopped_while_a_voice_is_embedded_ends():
    def stop(stage, fraction):
        raise JobCancelledError(stage)

    with pytest.raises(JobCancelledError, match="known_speakers"):
        result({"name": "Ada", "audio": "x"}, recordings={"known_speakers.0.audio": tone(1.0)}, tick=stop)


def test_only_recordings_are_to_be_fetched_each_by_its_field():
    fields = DiarizationFields(
        known_speakers=[{"name": "Ada", "embedding": FIRST}, {"name": "Bob", "audio": "https://example.com/b.ogg"}]
    )
    assert voice_sources(fields) == {"known_speakers.1.audio": "https://example.com/b.ogg"}
