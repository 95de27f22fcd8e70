import pytest

from common.contract import SpanIn, TranscriptionRequest, VerboseTranscription
from handlers.transcription.fake import FakeTranscription
from handlers.transcription.handler import transcribe
from handlers.transcription.spans import merged
from tests.support.audio_jobs import tone

TURNS = [{"start": 0.0, "end": 1.0, "speaker": "A"}, {"start": 1.0, "end": 2.0, "speaker": "B"}]


def result(seconds=2.0, engine=None, ticks=None, **fields):
    request = TranscriptionRequest(**{"audio": "x", "response_format": "verbose_json", **fields})
    seen = [] if ticks is None else ticks
    return transcribe(engine or FakeTranscription(), request, tone(seconds), lambda *tick: seen.append(tick))


def timed(answer):
    return [(word["word"], word["start"], word["end"]) for word in answer["words"]]


def test_verbose_json_is_the_contracts():
    answer = result()
    assert VerboseTranscription.model_validate({**answer, "timings": {}}).duration == 2.0
    assert timed(answer) == [("word0", 0.0, 0.4), ("word1", 0.5, 0.9), ("word2", 1.0, 1.4), ("word3", 1.5, 1.9)]
    assert "speaker" not in answer["words"][0]


def test_given_turns_put_a_speaker_on_every_word():
    answer = result(diarization_segments=TURNS)
    assert [word["speaker"] for word in answer["words"]] == ["A", "A", "B", "B"]
    assert answer["speakers"] == ["A", "B"]


def test_no_turns_is_not_the_same_as_turns_not_asked_for():
    assert [word["speaker"] for word in result(diarization_segments=[])["words"]] == [None] * 4


@pytest.mark.parametrize("response_format", ["json", "text", "verbose_json", "srt", "vtt", "tsv"])
def test_every_format_names_model_device_and_warnings(response_format):
    answer = result(engine=FakeTranscription(warnings=("slow",)), response_format=response_format)
    assert (answer["model"], answer["device"], answer["warnings"]) == ("fake transcription", "cpu", ["slow"])
    assert "word3" in answer["text"]


def test_language_and_chunk_duration_reach_the_engine():
    engine = FakeTranscription()
    assert result(engine=engine, language="de", chunk_duration=30.0)["language"] == "de"
    assert engine.asked == [("de", 30.0)]


def test_only_the_spans_are_decoded_and_words_keep_the_times_of_the_whole():
    spans = [{"start": 5.0, "end": 6.0}, {"start": 1.0, "end": 2.0}]
    assert timed(result(10.0, spans=spans)) == [
        ("word0", 1.0, 1.4),
        ("word1", 1.5, 1.9),
        ("word0", 5.0, 5.4),
        ("word1", 5.5, 5.9),
    ]


def test_progress_over_spans_never_goes_back():
    ticks = []
    result(10.0, ticks=ticks, spans=[{"start": 5.0, "end": 6.0}, {"start": 1.0, "end": 2.0}])
    assert [fraction for _, fraction in ticks] == pytest.approx([0.1, 0.15, 0.5, 0.55])


def test_no_spans_are_no_words_but_still_an_answer():
    answer = result(spans=[], language="fr")
    assert (answer["words"], answer["text"], answer["language"], answer["duration"]) == ([], "", "fr", 2.0)


@pytest.mark.parametrize(
    ("spans", "expected"),
    [
        ([(0, 1), (0.5, 2)], [(0, 32_000)]),
        ([(0, 1), (1, 2)], [(0, 32_000)]),
        ([(0, 3), (1, 2)], [(0, 48_000)]),
        ([(3, 99)], [(48_000, 64_000)]),
        ([(4, 5), (7, 8)], []),
        ([(1, 1)], []),
    ],
)
def test_spans_are_merged_and_clipped_to_the_audio(spans, expected):
    assert merged([SpanIn(start=float(a), end=float(b)) for a, b in spans], total=64_000) == expected
