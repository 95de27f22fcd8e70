"""The JSON formats, and what OpenAI's own client makes of them."""

import json
import math
import warnings
from dataclasses import replace
from typing import get_args

import pytest

from common.contract import ResponseFormat
from common.errors import InvalidInputError
from common.formats import FORMAT_NAMES, JSON_FORMATS, TEXT_FORMATS, RenderOptions, render, transcript_words
from common.results import SegmentOut
from common.timeline import Word
from tests.support.transcripts import transcript_of

with warnings.catch_warnings():
    # The client may warn of its own dependencies while it is imported.
    warnings.simplefilter("ignore", DeprecationWarning)
    from openai.types.audio import TranscriptionDiarized, TranscriptionVerbose

HELLO = Word("Hello.", 0.1234, 0.5678, 0.98765, "A")
RAIN = (Word("雨", 1.0, 1.5, speaker="B"), Word("。", 1.5, 1.5, math.nan, "B", space_before=False))
GHOST = Word("hm", 4.0, 4.2)
TALK = replace(transcript_of(HELLO, *RAIN, GHOST), duration_s=5.00049)
PLAIN = replace(transcript_of(replace(HELLO, speaker=None)), diarized=False)


def test_every_format_of_the_contract_is_there():
    assert get_args(ResponseFormat) == FORMAT_NAMES
    assert {*JSON_FORMATS, *TEXT_FORMATS} == set(FORMAT_NAMES)
    assert len(JSON_FORMATS) + len(TEXT_FORMATS) == len(FORMAT_NAMES)


def test_an_unknown_format_names_those_there_are():
    with pytest.raises(InvalidInputError, match="verbose_json, diarized_json, srt") as caught:
        render(TALK, "docx", RenderOptions())
    assert caught.value.param == "response_format"


def test_json_is_the_text_alone():
    assert render(TALK, "json", RenderOptions()) == {"text": "Hello. 雨。 hm"}


def test_verbose_json():
    result = render(TALK, "verbose_json", RenderOptions())
    hello = {"word": "Hello.", "start": 0.123, "end": 0.568, "confidence": 0.9877, "speaker": "A"}
    rain = [
        {"word": "雨", "start": 1.0, "end": 1.5, "speaker": "B"},
        {"word": "。", "start": 1.5, "end": 1.5, "speaker": "B", "space_before": False},
    ]
    ghost = {"word": "hm", "start": 4.0, "end": 4.2, "speaker": None}
    segments = result.pop("segments")
    assert result == {
        "task": "transcribe",
        "language": "en",
        "duration": 5.0,
        "text": "Hello. 雨。 hm",
        "words": [hello, *rain, ghost],
        "num_speakers": 2,
        "speakers": ["A", "B"],
    }
    assert [
        {key: value for key, value in segment.items() if key in SegmentOut.model_fields} for segment in segments
    ] == [
        {"id": 0, "start": 0.123, "end": 0.568, "text": "Hello.", "speaker": "A", "words": [hello]},
        {"id": 1, "start": 1.0, "end": 1.5, "text": "雨。", "speaker": "B", "words": rain},
        {"id": 2, "start": 4.0, "end": 4.2, "text": "hm", "speaker": None, "words": [ghost]},
    ]


def test_fields_of_whisper_are_neutral_where_unknown():
    hello, rain, _ = render(TALK, "verbose_json", RenderOptions())["segments"]
    whisper = {"seek", "tokens", "temperature", "avg_logprob", "compression_ratio", "no_speech_prob"}
    assert {key: hello[key] for key in whisper} == {
        "seek": 0, "tokens": [], "temperature": 0.0, "avg_logprob": -0.0124, "compression_ratio": 0.4286,
        "no_speech_prob": 0.0,
    }  # fmt: skip
    assert rain["avg_logprob"] == 0.0


def test_verbose_json_without_speakers_has_no_key_for_them():
    result = render(PLAIN, "verbose_json", RenderOptions())
    assert "speaker" not in json.dumps(result)
    assert result["words"] == [{"word": "Hello.", "start": 0.123, "end": 0.568, "confidence": 0.9877}]


def test_verbose_json_without_word_times_has_no_words():
    result = render(TALK, "verbose_json", RenderOptions(timestamps=False))
    assert "words" not in result
    assert ["words" in segment for segment in result["segments"]] == [False, False, False]
    assert [segment["text"] for segment in result["segments"]] == ["Hello.", "雨。", "hm"]


def test_diarized_json():
    assert render(TALK, "diarized_json", RenderOptions()) == {
        "task": "transcribe",
        "duration": 5.0,
        "text": "Hello. 雨。 hm",
        "segments": [
            {"type": "transcript.text.segment", "id": str(i), "start": a, "end": b, "speaker": speaker, "text": text}
            for i, a, b, speaker, text in [
                (0, 0.123, 0.568, "A", "Hello."),
                (1, 1.0, 1.5, "B", "雨。"),
                (2, 4.0, 4.2, "UNKNOWN", "hm"),
            ]
        ],
    }


@pytest.mark.parametrize("transcript", [TALK, PLAIN, transcript_of()], ids=["diarized", "plain", "empty"])
@pytest.mark.parametrize("timestamps", [True, False])
def test_openai_reads_verbose_json(transcript, timestamps):
    document = json.dumps(render(transcript, "verbose_json", RenderOptions(timestamps=timestamps)), allow_nan=False)
    parsed = TranscriptionVerbose.model_validate_json(document)
    assert (parsed.text, parsed.language) == (transcript.text, "en")
    assert [segment.text for segment in parsed.segments] == [segment.text for segment in transcript.segments]
    read = None if parsed.words is None else [(word.word, word.start) for word in parsed.words]
    assert read == ([(word.text, round(word.start, 3)) for word in transcript.words] if timestamps else None)


@pytest.mark.parametrize("transcript", [TALK, PLAIN, transcript_of()], ids=["diarized", "plain", "empty"])
def test_openai_reads_diarized_json(transcript):
    document = json.dumps(render(transcript, "diarized_json", RenderOptions()), allow_nan=False)
    parsed = TranscriptionDiarized.model_validate_json(document)
    assert [(s.speaker, s.text) for s in parsed.segments] == [
        (segment.speaker or "UNKNOWN", segment.text) for segment in transcript.segments
    ]


def test_words_are_read_back():
    read = transcript_words(render(TALK, "verbose_json", RenderOptions()))
    assert read == (
        Word("Hello.", 0.123, 0.568, 0.9877, "A"),
        RAIN[0],
        Word("。", 1.5, 1.5, None, "B", space_before=False),
        GHOST,
    )


@pytest.mark.parametrize(
    ("verbose", "field"),
    [
        ({"text": "no words"}, "words"),
        ({"words": [{"word": "a", "start": 0, "end": 1}, {"word": "b", "start": 1}]}, r"words\.1\.end"),
        ({"words": "abc"}, "words"),
    ],
)
def test_words_that_are_not_there(verbose, field):
    with pytest.raises(InvalidInputError, match=rf"^{field} is missing or malformed; ask for .* timestamps true$"):
        transcript_words(verbose)


def test_words_that_run_backwards():
    with pytest.raises(InvalidInputError, match="0 ≤ start ≤ end"):
        transcript_words({"words": [{"word": "a", "start": 2, "end": 1}]})
