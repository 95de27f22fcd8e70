"""Speakers in an answer: names, who is heard in overlap, how sure, and words of nobody."""

from common.answer import Heard, build_answer, orchestrated_answer
from common.contract import OrchestrationRequest, TranscriptionFields
from common.timeline import SpeakerTurns, Turn, Word

HEARD = Heard(
    words=(Word("Hi.", 0.0, 0.5), Word("Hello", 1.0, 1.4), Word("there.", 1.5, 2.0), Word("Late.", 9.0, 9.4)),
    language="en",
    duration_s=10.0,
)
TURNS = (Turn(0.0, 1.45, "SPEAKER_00"), Turn(0.9, 2.35, "SPEAKER_01"))
SPOKEN = SpeakerTurns(turns=TURNS, exclusive=(Turn(0.0, 0.9, "SPEAKER_00"), Turn(0.9, 2.35, "SPEAKER_01")))


def answer(spoken=SPOKEN, **fields):
    fields = TranscriptionFields.model_validate({"response_format": "verbose_json", **fields})
    return build_answer(HEARD, spoken=spoken, fields=fields)


def speakers(found):
    return [word["speaker"] for word in found["words"]]


def test_who_is_heard_in_overlap_is_who_said_it():
    turns = (Turn(0.0, 2.0, "A"), Turn(1.0, 3.0, "B"))
    first = SpeakerTurns(turns=turns, exclusive=(turns[0], Turn(2.0, 3.0, "B")))
    second = SpeakerTurns(turns=turns, exclusive=(Turn(0.0, 1.0, "A"), turns[1]))
    assert speakers(answer(first)) == ["A", "A", "A", None]
    assert speakers(answer(second)) == ["A", "B", "B", None]


def test_words_without_a_speaker_are_counted_in_every_format():
    assert answer()["words_without_speaker"] == 1
    assert answer(response_format="srt")["words_without_speaker"] == 1
    assert answer(SpeakerTurns(turns=(Turn(0.0, 10.0, "A"),)))["words_without_speaker"] == 0
    assert "words_without_speaker" not in answer(None)


def test_confidence_and_overlap_are_there_if_asked_for():
    words = answer(speaker_confidence=True)["words"]
    assert [word.get("speaker_confidence") for word in words] == [0.9902, 0.5706, 0.9902, None]
    assert [word.get("overlap") for word in words] == [None, True, None, None]
    assert answer(speaker_confidence=True)["segments"][1]["words"][0]["overlap"] is True
    assert not {"speaker_confidence", "overlap"} & answer()["words"][0].keys()
    assert "overlap" not in answer(None, speaker_confidence=True)["words"][1]


def test_names_stand_in_place_of_labels():
    named = answer(speaker_names={"SPEAKER_01": "Sheila", "SPEAKER_07": "Nobody"})
    assert speakers(named) == ["SPEAKER_00", "Sheila", "Sheila", None]
    assert named["speakers"] == ["SPEAKER_00", "Sheila"]


def test_one_name_for_two_labels_makes_them_one_speaker():
    named = answer(speaker_names={"SPEAKER_00": "Sheila", "SPEAKER_01": "Sheila"})
    assert (named["num_speakers"], speakers(named)) == (1, ["Sheila", "Sheila", "Sheila", None])


def test_a_name_for_nobody_is_told():
    report = {"model": "w", "device": "cpu"}
    fields = TranscriptionFields.model_validate({"speaker_names": {"SPEAKER_01": "Eve", "SPEAKER_07": "Ada"}})
    found = build_answer(HEARD, spoken=SPOKEN, fields=fields, report=report)
    unknown = "speaker_names: nobody is labelled SPEAKER_07; the speakers are SPEAKER_00, SPEAKER_01"
    assert found["warnings"] == [unknown]
    found = build_answer(HEARD, spoken=None, fields=fields, report=report)
    assert found["warnings"] == ["speaker_names: nobody is labelled SPEAKER_01, SPEAKER_07; the speakers are none"]


def merged(names, **request):
    asked = OrchestrationRequest(audio="x", response_format="verbose_json", **request)
    turns = [{"start": turn.start, "end": turn.end, "speaker": turn.speaker} for turn in TURNS]
    spoken = {
        "segments": turns,
        "exclusive_segments": [],
        "speakers": ["SPEAKER_00", "SPEAKER_01"],
        "model": "m",
        "embeddings": {"SPEAKER_00": [1.0], "SPEAKER_01": [2.0]},
        "speaker_matches": [{"speaker": "SPEAKER_01", "name": "Ada", "similarity": 0.9}],
    }
    report = {"model": "w", "device": "cpu"}
    return orchestrated_answer(asked, heard=HEARD, transcription=report, diarization=spoken, names=names)


def test_the_request_names_speakers_before_anybody_else_does():
    found = merged(
        {"SPEAKER_00": "Ada", "SPEAKER_01": "Eve"}, speaker_names={"SPEAKER_00": "Bea"}, return_embeddings=True
    )
    assert found["speaker_names"] == {"SPEAKER_00": "Bea", "SPEAKER_01": "Eve"}
    assert [turn["speaker"] for turn in found["diarization_segments"]] == ["Bea", "Eve"]
    assert found["embeddings"] == {"Bea": [1.0], "Eve": [2.0]}
    assert "speaker_matches" not in found


def test_recognised_speakers_are_told_where_known_ones_were_given():
    found = merged({}, known_speakers=[{"name": "Ada", "embedding": [0.0, 1.0]}])
    assert found["speaker_matches"] == [{"speaker": "SPEAKER_01", "name": "Ada", "similarity": 0.9}]
    assert "speaker_names" not in found


def test_what_somebody_is_called_does_not_change_who_said_what():
    both = SpeakerTurns(turns=(Turn(0.0, 2.0, "SPEAKER_00"), Turn(0.0, 2.0, "SPEAKER_01")))
    assert speakers(answer(both))[:3] == ["SPEAKER_00"] * 3
    assert speakers(answer(both, speaker_names={"SPEAKER_00": "Zoe"}))[:3] == ["Zoe"] * 3
