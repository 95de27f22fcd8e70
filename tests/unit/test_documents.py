"""Results as the web server keeps them, and in every format as the pipeline itself would answer."""

import json

import pytest

from common.errors import InvalidInputError
from common.formats import FORMAT_NAMES, JSON_FORMATS
from orchestrator.server.documents import rendered, result_document, reused_document
from tests.support.server_documents import DIARIZATION, TURNS, job_of, pipeline_answer, stored_result


def test_a_result_has_what_clients_look_for():
    answer = pipeline_answer(response_format="verbose_json")
    document = result_document(job_of(), answer)
    assert {key: document[key] for key in answer} == answer
    assert {key: document[key] for key in document.keys() - answer.keys()} == {
        "success": True,
        "job_id": "j1",
        "filename": "talk.wav",
        "full_text": "Do you know Chicago? I live there.",
        "aligned_segments": [
            {"start": 0.2, "end": 1.5, "speaker": "SPEAKER_00", "text": "Do you know Chicago?"},
            {"start": 2.0, "end": 2.8, "speaker": "SPEAKER_01", "text": "I live there."},
        ],
        "speaker_turns": list(TURNS),
        "performance_metrics": {"total_s": 1.5, "merge_s": 0.25, "real_time_factor": 0.05},
    }


def test_a_result_without_speakers():
    document = stored_result(diarization=None)
    assert document["speaker_turns"] == []
    assert [segment["speaker"] for segment in document["aligned_segments"]] == [None, None]


def test_the_real_time_factor_of_nothing_is_unknown():
    nothing = {**pipeline_answer(response_format="verbose_json"), "duration": 0.0, "timings": {}}
    assert result_document(job_of(), nothing)["performance_metrics"] == {"total_s": None, "real_time_factor": None}


def test_a_diarization():
    found = {
        **DIARIZATION, "num_speakers": 2, "speakers": ["SPEAKER_00", "SPEAKER_01"], "duration": 30.0,
        "speech_seconds": {"SPEAKER_00": 1.5, "SPEAKER_01": 1.0}, "overlap_seconds": 0.0, "timings": {"total_s": 3.0},
    }  # fmt: skip
    document = result_document(job_of(kind="diarization", fields={"num_speakers": 2}), found)
    assert document["timeline"] == list(TURNS)
    assert "segments" not in document
    assert (document["success"], document["num_speakers"], document["model"]) == (True, 2, "toy diarization")
    assert document["performance_metrics"] == {"total_s": 3.0, "real_time_factor": 0.1}
    assert rendered(document, "rttm").content.decode().splitlines() == [
        "SPEAKER audio 1 0.100 1.500 <NA> <NA> SPEAKER_00 <NA> <NA>",
        "SPEAKER audio 1 1.906 0.994 <NA> <NA> SPEAKER_01 <NA> <NA>",
    ]
    assert json.loads(rendered(document, "json").content) == document
    with pytest.raises(InvalidInputError, match="no words"):
        rendered(document, "srt")


@pytest.mark.parametrize("diarization", [DIARIZATION, None], ids=["speakers", "words only"])
@pytest.mark.parametrize("name", FORMAT_NAMES)
def test_every_format_is_as_the_pipeline_answers_it(name, diarization):
    names = {"speaker_names": {"SPEAKER_01": "Zoë <Ann>"}} if diarization else {}
    document = stored_result(diarization=diarization, speaker_confidence=True, **names)
    answer = pipeline_answer(response_format=name, diarization=diarization, speaker_confidence=True, **names)
    content = rendered(document, name).content.decode()
    if name == "verbose_json":
        assert json.loads(content) == answer
    elif name in JSON_FORMATS:
        assert json.loads(content).items() <= answer.items()
        assert json.loads(content)["text"] == "Do you know Chicago? I live there."
    else:
        assert content == answer["text"]


def test_words_that_were_not_asked_how_sure_their_speaker_is_do_not_tell():
    assert "speaker_confidence" not in json.loads(rendered(stored_result(), "verbose_json").content)["words"][0]


def test_an_answer_that_was_there_is_this_jobs():
    there = stored_result()
    document = reused_document(job_of(id="j2", filename="again.wav", request_id="r2"), there)
    assert (document["job_id"], document["filename"], document["request_id"]) == ("j2", "again.wav", "r2")
    assert document["cached"] is True
    assert document["segments"] == there["segments"]
    assert "cached" not in json.loads(rendered(document, "verbose_json").content)


@pytest.mark.parametrize(
    ("name", "media_type", "suffix"),
    [
        ("txt", "text/plain; charset=utf-8", ".txt"),
        ("text", "text/plain; charset=utf-8", ".txt"),
        ("srt", "application/x-subrip; charset=utf-8", ".srt"),
        ("vtt", "text/vtt; charset=utf-8", ".vtt"),
        ("tsv", "text/tab-separated-values; charset=utf-8", ".tsv"),
        ("json", "application/json", ".json"),
        ("verbose_json", "application/json", ".verbose.json"),
        ("diarized_json", "application/json", ".diarized.json"),
        ("rttm", "text/plain; charset=utf-8", ".rttm"),
    ],
)
def test_what_kind_of_file_it_is(name, media_type, suffix):
    file = rendered(stored_result(), name)
    assert (file.media_type, file.suffix) == (media_type, suffix)


@pytest.mark.parametrize("name", ["docx", "", "SRT", "../srt"])
def test_an_unknown_format(name):
    with pytest.raises(InvalidInputError, match="choose one of txt, ") as caught:
        rendered(stored_result(), name)
    assert caught.value.param == "format"
