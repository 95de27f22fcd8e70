import pytest

from common.contract import DiarizationRequest, OrchestrationRequest, TranscriptionRequest, parse_request
from common.errors import InvalidInputError, UnknownFieldError
from common.timeline import Turn


@pytest.mark.parametrize("field", ["audio", "audio_base64"])
def test_audio_has_an_alias(field):
    assert parse_request(DiarizationRequest, {field: "QUJD"}).audio == "QUJD"


def test_defaults():
    request = parse_request(OrchestrationRequest, {"audio": "x"})
    assert request.model_dump(exclude_none=True) == {
        "audio": "x",
        "return_embeddings": False,
        "known_speakers": [],
        "response_format": "json",
        "timestamps": True,
        "hotwords": [],
        "speaker_names": {},
        "speaker_confidence": False,
        "diarize": True,
        "on_diarization_failure": "fail",
        "repair": True,
        "name_speakers": False,
    }


def test_turns_come_as_the_diarization_endpoint_gives_them():
    segments = [{"start": 0, "end": 1.5, "speaker": "SPEAKER_00"}]
    request = parse_request(TranscriptionRequest, {"audio": "x", "diarization_segments": segments})
    assert [segment.turn() for segment in request.diarization_segments] == [Turn(0, 1.5, "SPEAKER_00")]


@pytest.mark.parametrize(
    ("raw", "param", "words"),
    [
        ({"audio": "x", "foo": 1}, "foo", "unknown field 'foo'; known fields: audio,"),
        ({"audio": "x", "spans": [{"start": 0, "end": 1, "who": "A"}]}, "spans.0.who", "unknown field"),
    ],
)
def test_unknown_keys_are_named(raw, param, words):
    with pytest.raises(UnknownFieldError, match=words) as caught:
        parse_request(TranscriptionRequest, raw)
    assert caught.value.param == param


@pytest.mark.parametrize(
    ("raw", "param", "words"),
    [
        (None, None, 'needs an object under "input"'),
        ("text", None, 'needs an object under "input"'),
        ([], None, 'needs an object under "input"'),
        ({}, "audio", "the field 'audio' is missing"),
        ({"audio": ""}, "audio", "at least 1 character"),
        ({"audio": 7}, "audio", "valid string"),
        ({"audio": None}, "audio", "valid string"),
        ({"audio": "x", "audio_base64": "x"}, "audio_base64", "not both"),
        ({"audio": "x", "num_speakers": "2"}, "num_speakers", "valid integer"),
        ({"audio": "x", "num_speakers": True}, "num_speakers", "valid integer"),
        ({"audio": "x", "num_speakers": 0}, "num_speakers", "greater than or equal to 1"),
        ({"audio": "x", "num_speakers": 2, "min_speakers": 1}, None, "not both"),
        ({"audio": "x", "min_speakers": 3, "max_speakers": 2}, None, "min_speakers is above max_speakers"),
        ({"audio": "x", "response_format": "docx"}, "response_format", "'srt'"),
        ({"audio": "x", "language": "../en"}, "language", "pattern"),
        ({"audio": "x", "chunk_duration": float("nan")}, "chunk_duration", "finite"),
        ({"audio": "x", "chunk_duration": 1}, "chunk_duration", "greater than or equal to 5"),
        ({"audio": "x", "diarize": "yes"}, "diarize", "valid boolean"),
        ({"audio": "x", "repair": "no"}, "repair", "valid boolean"),
        ({"audio": "x", "hotwords": "Ada"}, "hotwords", "valid list"),
        ({"audio": "x", "hotwords": ["Ada", " "]}, "hotwords.1", "at least 1 character"),
        ({"audio": "x", "hotwords": ["a" * 101]}, "hotwords.0", "at most 100 characters"),
        ({"audio": "x", "hotwords": ["a"] * 501}, "hotwords", "at most 500 items"),
        ({"audio": "x", "known_speakers": [{"name": "Ada"}]}, "known_speakers.0", "either audio or embedding"),
        (
            {"audio": "x", "known_speakers": [{"name": "Ada", "audio": "x", "embedding": [1.0, 2.0]}]},
            "known_speakers.0",
            "either audio or embedding",
        ),
        ({"audio": "x", "known_speakers": [{"name": " ", "audio": "x"}]}, "known_speakers.0.name", "at least 1"),
        ({"audio": "x", "known_speaker_threshold": 1.5}, "known_speaker_threshold", "less than or equal to 1"),
        ({"audio": "x", "speaker_names": {"SPEAKER_00": ""}}, "speaker_names.SPEAKER_00", "at least 1 character"),
        ({"audio": "x", "words": [{"word": "so", "start": 2.0, "end": 1.0}]}, "words.0", "before start"),
        ({"audio": "x", "words": [{"word": "so", "start": 2.0}]}, "words.0.end", "missing"),
        ({"audio": "x", "words": [{"word": "so", "start": float("nan"), "end": 1.0}]}, "words.0.start", "finite"),
        ({"audio": "x", "words": [{"word": "so", "start": 0.0, "end": 1e10}]}, "words.0.end", "equal to 1000000000"),
        (
            {"audio": "x", "words": [{"word": "so", "start": 0.0, "end": 1.0, "confidence": 1.5}]},
            "words.0.confidence",
            "less than or equal to 1",
        ),
        ({"audio": "x", "words": [{}] * 200_001}, "words", "at most 200000 items"),
        ({"audio": "x", "diarize": False, "words": []}, "words", "find their speakers anew"),
        ({"audio": "x", "diarize": False, "name_speakers": True}, "name_speakers", "there are no speakers"),
        (
            {"audio": "x", "diarize": False, "known_speakers": [{"name": "Ada", "audio": "x"}]},
            "known_speakers",
            "there are no speakers",
        ),
        ({"audio": "x", "subtitles": {"max_lines": 0}}, "subtitles.max_lines", "greater than or equal to 1"),
    ],
)
def test_bad_fields_are_named_with_the_reason(raw, param, words):
    with pytest.raises(InvalidInputError, match=words) as caught:
        parse_request(OrchestrationRequest, raw)
    assert caught.value.param == param


@pytest.mark.parametrize("turn", [{"start": 2, "end": 1, "speaker": "A"}, {"start": 0, "end": 1, "speaker": ""}])
def test_impossible_turns_are_refused(turn):
    with pytest.raises(InvalidInputError):
        parse_request(TranscriptionRequest, {"audio": "x", "diarization_segments": [turn]})


def test_hotwords_come_without_the_space_around_them():
    asked = {"audio": "x", "hotwords": [" Fort Wayne\n", "Čapek"]}
    assert parse_request(TranscriptionRequest, asked).hotwords == ["Fort Wayne", "Čapek"]


@pytest.mark.parametrize("param", ["diarization_segments", "exclusive_segments"])
def test_more_speakers_than_words_can_be_given_to_are_refused(param):
    turns = [{"start": number, "end": number + 1, "speaker": f"S{number % 101}"} for number in range(300)]
    with pytest.raises(InvalidInputError, match=r"^101 speakers .* at most 100 .* max_speakers$") as caught:
        parse_request(TranscriptionRequest, {"audio": "x", "diarization_segments": [], param: turns})
    assert caught.value.param == param
    assert parse_request(TranscriptionRequest, {"audio": "x", "diarization_segments": [], param: turns[:100]})


def test_exclusive_segments_alone_are_refused():
    asked = {"audio": "x", "exclusive_segments": [{"start": 0, "end": 1, "speaker": "A"}]}
    with pytest.raises(InvalidInputError, match="needs diarization_segments") as caught:
        parse_request(TranscriptionRequest, asked)
    assert caught.value.param == "exclusive_segments"


def test_a_threshold_without_voices_is_refused():
    with pytest.raises(InvalidInputError, match="needs known_speakers") as caught:
        parse_request(DiarizationRequest, {"audio": "x", "known_speaker_threshold": 0.5})
    assert caught.value.param == "known_speaker_threshold"


@pytest.mark.parametrize("key", ["a", ".a", "...", "a/b?c#d%", "x" * 200])
def test_an_idempotency_key_is_what_a_header_and_a_path_can_carry(key):
    asked = {"audio": "https://example.org/a.wav", "idempotency_key": key}
    assert parse_request(OrchestrationRequest, asked).idempotency_key == key


@pytest.mark.parametrize("key", ["", ".", "..", "two words", "two\nlines", "ü", "x" * 201])
def test_another_idempotency_key_is_refused(key):
    with pytest.raises(InvalidInputError) as caught:
        parse_request(OrchestrationRequest, {"audio": "https://example.org/a.wav", "idempotency_key": key})
    assert caught.value.param == "idempotency_key"
