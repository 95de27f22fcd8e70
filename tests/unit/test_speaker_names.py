import pytest

from common.answer import Heard, orchestrated_answer
from common.contract import OrchestrationRequest
from common.speaker_names import named_embeddings, speaker_names
from common.timeline import SpeakerTurns, Turn, Word

SPOKEN = SpeakerTurns(turns=(Turn(0.0, 3.0, "Ada"), Turn(3.0, 4.0, "SPEAKER_01"), Turn(4.0, 6.0, "SPEAKER_02")))
MATCHES = [{"speaker": "SPEAKER_00", "name": "Ada", "similarity": 0.9}]
TAKEN = (
    "speaker_names gives somebody the name {}, which another speaker has: they are one speaker now; "
    "give that one another name too to keep them apart"
)


def names(asked, **fields):
    return speaker_names(asked, SPOKEN, **{"matches": MATCHES, **fields})


def test_a_recognised_speaker_can_be_renamed_by_the_label_it_had():
    found = names({"SPEAKER_00": "Bob", "SPEAKER_01": "Ada"})
    assert found.by_label == {"Ada": "Bob", "SPEAKER_01": "Ada"}
    assert found.told == {"SPEAKER_00": "Bob", "SPEAKER_01": "Ada"}
    assert found.warnings == ()


@pytest.mark.parametrize("asked", [{"Ada": "Bob", "SPEAKER_00": "Eve"}, {"SPEAKER_00": "Eve", "Ada": "Bob"}])
def test_the_label_of_now_goes_before_that_of_then(asked):
    found = names(asked)
    assert (found.by_label, found.told, found.warnings) == ({"Ada": "Bob"}, {"Ada": "Bob"}, ())


def test_names_of_the_request_go_before_those_found():
    found = names({"SPEAKER_00": "Bob"}, found={"Ada": "Eve", "SPEAKER_01": "Mia", "SPEAKER_09": "Nobody"})
    assert found.by_label == {"Ada": "Bob", "SPEAKER_01": "Mia"}
    assert found.told == {"SPEAKER_00": "Bob", "SPEAKER_01": "Mia"}


@pytest.mark.parametrize(
    ("asked", "taken"), [({"SPEAKER_01": "Ada"}, "Ada"), ({"SPEAKER_01": "Eve", "SPEAKER_02": "Ada"}, "Ada")]
)
def test_a_name_that_somebody_else_has_already_is_told(asked, taken):
    assert names(asked).warnings == (TAKEN.format(taken),)


def test_one_name_for_two_on_purpose_is_not():
    found = names({"SPEAKER_01": "Eve", "SPEAKER_02": "Eve"})
    assert (found.by_label, found.warnings) == ({"SPEAKER_01": "Eve", "SPEAKER_02": "Eve"}, ())
    assert names({"SPEAKER_01": "Ada", "Ada": "Ada"}).warnings == ()


def test_many_names_for_nobody_are_one_short_warning():
    (warning,) = names({f"S{number}": "Eve" for number in range(100)}).warnings
    assert warning.startswith("speaker_names: nobody is labelled S0, S1, S2, S3, S4 and 95 more; the speakers are Ada,")


def test_embeddings_of_one_name_are_their_mean_by_speech():
    vectors = {"Ada": [1.0, 0.0], "SPEAKER_01": [0.0, 3.0], "SPEAKER_02": [3.0, 0.0]}
    given = {"SPEAKER_01": "Eve", "SPEAKER_02": "Eve"}
    assert named_embeddings(vectors, given, SPOKEN) == {"Ada": [1.0, 0.0], "Eve": [2.0, 1.0]}
    assert named_embeddings(vectors, given, SpeakerTurns(turns=()))["Eve"] == [1.5, 1.5]


def test_an_answer_has_both_speakers_under_the_names_of_the_request():
    segments = [{"start": 0.0, "end": 1.0, "speaker": "Ada"}, {"start": 1.0, "end": 2.0, "speaker": "SPEAKER_01"}]
    diarization = {
        "segments": segments,
        "speakers": ["Ada", "SPEAKER_01"],
        "model": "m",
        "embeddings": {"Ada": [1.0, 0.0], "SPEAKER_01": [0.0, 1.0]},
        "speaker_matches": MATCHES,
    }
    asked = {"speaker_names": {"SPEAKER_00": "Bob", "SPEAKER_01": "Ada"}, "return_embeddings": True}
    request = OrchestrationRequest.model_validate({"audio": "x", "response_format": "verbose_json", **asked})
    heard = Heard(words=(Word("Hi.", 0.2, 0.6), Word("Hello.", 1.2, 1.6)), language="en", duration_s=2.0)
    report = {"model": "w", "device": "cpu"}
    answer = orchestrated_answer(request, heard=heard, transcription=report, diarization=diarization)
    assert [word["speaker"] for word in answer["words"]] == ["Bob", "Ada"]
    assert answer["embeddings"] == {"Bob": [1.0, 0.0], "Ada": [0.0, 1.0]}
    assert answer["speaker_names"] == asked["speaker_names"]
    assert answer["warnings"] == []
