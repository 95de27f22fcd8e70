"""Files with a reader's edits: names, words, segments, and turns that agree with them."""

import json

import pytest

from common.formats import FORMAT_NAMES
from orchestrator.server.documents import parse_edits, rendered
from tests.support.server_documents import edits_of, stored_result

CORRECTED = {
    "segments": [
        {"speaker": "SPEAKER_00", "words": [{"word": "Do", "start": 0.2, "end": 0.4}]},
        {"speaker": "SPEAKER_01", "words": [{"word": "you know Chicago, IL?", "start": 0.4, "end": 1.5}]},
        {"speaker": None, "words": []},
        {"speaker": "SPEAKER_01", "words": [{"word": "Yes.", "start": 2.0, "end": 2.8}]},
    ],
    "speakers": {"SPEAKER_00": "Ann", "SPEAKER_01": "Bob  Lee"},
}


def text_of(result, name, edits):
    return rendered(result, name, edited=parse_edits(edits)).content.decode()


@pytest.mark.parametrize("name", FORMAT_NAMES)
def test_edits_that_change_nothing_change_nothing(name):
    result = stored_result()
    assert text_of(result, name, edits_of(result, SPEAKER_00="SPEAKER_00")) == rendered(result, name).content.decode()


def test_a_name_is_everywhere():
    result = stored_result()
    edits = edits_of(result, SPEAKER_01="Zoë")
    assert "[Zoë] I live there." in text_of(result, "srt", edits)
    assert "<v Zoë>I live there.</v>" in text_of(result, "vtt", edits)
    assert text_of(result, "txt", edits) == "SPEAKER_00: Do you know Chicago?\nZoë: I live there."
    assert "<NA> Zoë <NA>" in text_of(result, "rttm", edits)
    verbose = json.loads(text_of(result, "verbose_json", edits))
    assert verbose["speakers"] == ["SPEAKER_00", "Zoë"]
    assert [turn["speaker"] for turn in verbose["diarization_segments"]] == ["SPEAKER_00", "Zoë"]
    assert verbose["segments"][1]["speaker"] == verbose["words"][-1]["speaker"] == "Zoë"
    assert verbose["speaker_names"] == {"SPEAKER_01": "Zoë"}


def test_the_segments_are_the_readers():
    result = stored_result()
    assert text_of(result, "text", CORRECTED) == "Ann: Do\nBob Lee: you know Chicago, IL? Yes."
    assert json.loads(text_of(result, "json", CORRECTED)) == {"text": "Do you know Chicago, IL? Yes."}
    segments = json.loads(text_of(result, "diarized_json", CORRECTED))["segments"]
    assert [(s["id"], s["start"], s["end"], s["speaker"], s["text"]) for s in segments] == [
        ("0", 0.2, 0.4, "Ann", "Do"),
        ("1", 0.4, 1.5, "Bob Lee", "you know Chicago, IL?"),
        ("2", 2.0, 2.8, "Bob Lee", "Yes."),
    ]
    assert text_of(result, "ctm", CORRECTED).splitlines()[-1] == "audio 1 2.000 0.800 Yes."


def test_turns_follow_words_that_went_to_another_speaker():
    result = stored_result()
    moved = edits_of(result)
    moved["segments"][1]["speaker"] = "SPEAKER_00"
    assert text_of(result, "rttm", moved).splitlines() == [
        "SPEAKER audio 1 0.200 1.300 <NA> <NA> SPEAKER_00 <NA> <NA>",
        "SPEAKER audio 1 2.000 0.800 <NA> <NA> SPEAKER_00 <NA> <NA>",
    ]
    verbose = json.loads(text_of(result, "verbose_json", moved))
    assert (verbose["speakers"], verbose["num_speakers"]) == (["SPEAKER_00"], 1)
    assert [turn["start"] for turn in verbose["diarization_segments"]] == [0.2, 2.0]


def test_turns_stay_where_only_the_text_was_corrected():
    result = stored_result()
    corrected = edits_of(result)
    corrected["segments"][0]["words"][3]["word"] = "Evanston?"
    assert text_of(result, "rttm", corrected) == rendered(result, "rttm").content.decode()


def test_two_labels_with_one_name_are_one_speaker():
    result = {**stored_result(), "embeddings": {"SPEAKER_00": [1.0, 0.0], "SPEAKER_01": [0.0, 1.0]}}
    verbose = json.loads(text_of(result, "verbose_json", edits_of(result, SPEAKER_00="Ann", SPEAKER_01="Ann")))
    assert (verbose["speakers"], list(verbose["embeddings"])) == (["Ann"], ["Ann"])


def test_words_that_somebody_was_given():
    result = stored_result(diarization=None)
    edits = edits_of(result)
    edits["segments"][0]["speaker"] = "Ann"
    assert text_of(result, "text", edits) == "Ann: Do you know Chicago?\nUNKNOWN: I live there."
    assert "words_without_speaker" not in json.loads(text_of(result, "verbose_json", edits))


def test_words_that_nobody_has_are_counted_again():
    result = stored_result()
    edits = edits_of(result)
    edits["segments"][1]["speaker"] = None
    assert json.loads(text_of(result, "verbose_json", edits))["words_without_speaker"] == 3


def test_who_deletes_all_has_nothing_left_not_even_turns():
    nothing = {"segments": [], "speakers": {}}
    assert [text_of(stored_result(), name, nothing) for name in ("txt", "srt", "rttm")] == ["", "", ""]
