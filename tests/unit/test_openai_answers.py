"""Results and errors as OpenAI's clients read them."""

import json

import pytest

from common.errors import (
    DeadlineExceededError,
    EngineError,
    ForbiddenError,
    InvalidInputError,
    QueueFullError,
    UnauthorizedError,
)
from orchestrator.server.http.errors import error_answer
from orchestrator.server.http.openai_answers import stream_events, text_deltas, transcription_answer, typed
from orchestrator.server.http.openai_request import asked_of_form
from tests.support.server_documents import stored_result

TEXT = "Do you know Chicago? I live there."


def asked(**texts):
    form = {"model": ["m"], **{name: [text] if isinstance(text, str) else text for name, text in texts.items()}}
    return asked_of_form(form)


def answered(result, **texts):
    return json.loads(bytes(transcription_answer(result, asked(**texts)).body))


def test_json():
    expected = {"text": TEXT, "languages": [{"code": "en"}], "usage": {"type": "duration", "seconds": 30.0}}
    assert answered(stored_result()) == expected
    assert answered({**stored_result(), "language": "und"})["languages"] == []


def test_verbose_json_has_words_only_where_they_are_asked_for():
    result, name = stored_result(), "timestamp_granularities[]"
    segments = answered(result, response_format="verbose_json")
    assert "words" not in segments
    assert [segment["text"] for segment in segments["segments"]] == ["Do you know Chicago?", "I live there."]
    assert "words" not in segments["segments"][0]
    words = answered(result, **{"response_format": "verbose_json", name: ["word"]})
    assert "segments" not in words
    assert words["words"] == result["words"]
    assert words["words"][3] == {
        "word": "Chicago?", "start": 0.9, "end": 1.5, "confidence": 0.94, "speaker": "SPEAKER_00",
    }  # fmt: skip
    both = answered(result, **{"response_format": "verbose_json", name: ["word", "segment"]})
    assert {"words", "segments"} <= both.keys()
    assert (both["task"], both["language"], both["duration"]) == ("transcribe", "en", 30.0)


def test_text_is_without_speakers():
    answer = transcription_answer(stored_result(), asked(response_format="text", model="x-diarize"))
    assert (bytes(answer.body).decode(), answer.media_type) == (TEXT, "text/plain")


def test_what_was_given_in_vain_is_told():
    answer = transcription_answer(stored_result(), asked(prompt="Hello"))
    assert answer.headers["x-parley-without-effect"] == "prompt"
    assert "x-parley-without-effect" not in transcription_answer(stored_result(), asked()).headers


@pytest.mark.parametrize("sent", ["", "Do you", "Do you know Chicago?", TEXT])
def test_a_stream_goes_on_where_it_was(sent):
    *deltas, done = stream_events(stored_result(), asked(stream="true"), sent=sent)
    assert sent + "".join(event["delta"] for event in deltas) == TEXT
    assert done == {"type": "transcript.text.done", "text": TEXT, "languages": [{"code": "en"}]}


def test_a_stream_whose_text_became_another_ends_with_the_whole():
    events = list(stream_events(stored_result(), asked(stream="true"), sent="Do you no"))
    assert [event["type"] for event in events] == ["transcript.text.done"]
    assert events[0]["text"] == TEXT


def test_a_stream_of_segments():
    events = list(stream_events(stored_result(), asked(stream="true", response_format="diarized_json")))
    assert [event["type"].removeprefix("transcript.text.") for event in events] == [
        "delta", "segment", "delta", "segment", "done",
    ]  # fmt: skip
    assert events[3] == {
        "type": "transcript.text.segment", "id": "1", "start": 2.0, "end": 2.8, "speaker": "SPEAKER_01",
        "text": "I live there.",
    }  # fmt: skip
    assert events[0]["delta"] + events[2]["delta"] == TEXT
    assert events[2]["segment_id"] == "1"


def test_words_without_spaces_stay_together():
    words = [{"word": "雨"}, {"word": "だ", "space_before": False}]
    segments = [{"words": words}, {"words": [{"word": "ね", "space_before": False}]}, {"text": "?"}]
    assert [event["delta"] for event in text_deltas(segments, sent="")] == ["雨だ", "ね"]


@pytest.mark.parametrize(
    ("error", "kind", "headers"),
    [
        (InvalidInputError("no", param="model"), "invalid_request_error", {"x-should-retry": "false"}),
        (
            UnauthorizedError("no"),
            "authentication_error",
            {"x-should-retry": "false", "www-authenticate": "Bearer"},
        ),
        (ForbiddenError("no"), "permission_error", {"x-should-retry": "false"}),
        (QueueFullError("full", retry_after_s=2.5), "rate_limit_error", {"retry-after": "3"}),
        (EngineError("no"), "server_error", {}),
    ],
)
def test_errors_have_openais_type(error, kind, headers):
    answer = typed(error_answer(error))
    assert json.loads(bytes(answer.body))["error"] == {**error.envelope(), "request_id": None, "type": kind}
    assert answer.status_code == error.http_status
    told = {
        name: answer.headers[name]
        for name in ("x-should-retry", "retry-after", "www-authenticate")
        if name in answer.headers
    }
    assert told == headers


def test_what_took_too_long_is_not_sent_again():
    assert typed(error_answer(DeadlineExceededError("late")), retry=False).headers["x-should-retry"] == "false"
