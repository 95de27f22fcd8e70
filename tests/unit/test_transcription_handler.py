import pytest

from common.contract import SpanIn, TranscriptionRequest
from common.coverage import Coverage
from common.results import VerboseTranscription
from handlers.transcription.engine import DecodingOptions
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


def test_what_the_request_asks_for_reaches_the_engine():
    engine = FakeTranscription()
    fields = {"language": "de", "chunk_duration": 30.0, "hotwords": ["Parley", "Anna"]}
    assert result(engine=engine, **fields)["language"] == "de"
    assert engine.asked == [DecodingOptions(language="de", chunk_duration_s=30.0, hotwords=("Parley", "Anna"))]


def test_what_is_not_asked_for_is_left_to_the_engine():
    engine = FakeTranscription()
    result(engine=engine)
    assert engine.asked == [DecodingOptions()]


def test_only_the_spans_are_decoded_and_words_keep_the_times_of_the_whole():
    engine = FakeTranscription()
    spans = [{"start": 5.0, "end": 6.0}, {"start": 1.0, "end": 2.0}]
    assert timed(result(10.0, engine=engine, spans=spans)) == [
        ("word2", 1.0, 1.4),
        ("word3", 1.5, 1.9),
        ("word10", 5.0, 5.4),
        ("word11", 5.5, 5.9),
    ]
    assert engine.asked == [DecodingOptions(spans=((16_000, 32_000), (80_000, 96_000)))]


def test_progress_is_the_engines():
    ticks = []
    result(2.0, ticks=ticks, spans=[{"start": 1.0, "end": 2.0}])
    assert ticks == [("transcription", fraction) for fraction in (0.0, 0.25, 0.5, 0.75)]


def test_no_spans_are_no_words_but_still_an_answer():
    engine = FakeTranscription()
    answer = result(engine=engine, spans=[], language="fr")
    assert (answer["words"], answer["text"], answer["language"], answer["duration"]) == ([], "", "fr", 2.0)
    assert engine.asked == [DecodingOptions(language="fr", spans=())]


def test_the_answer_tells_how_far_the_words_cover_the_speech():
    coverage = Coverage(speech_s=1.9, repaired_s=0.4, empty=((0.9, 1.3),), failed=())
    answer = result(engine=FakeTranscription(coverage=coverage))
    assert answer["coverage"] == {
        "speech_s": 1.9,
        "repaired_s": 0.4,
        "empty_s": 0.4,
        "empty": [{"start": 0.9, "end": 1.3}],
        "failed": [],
    }
    assert "coverage" not in result()


@pytest.mark.parametrize(
    ("spans", "expected"),
    [
        ([(0, 1), (0.5, 2)], [(0, 32_000)]),
        ([(0, 1), (1, 2)], [(0, 32_000)]),
        ([(0, 3), (1, 2)], [(0, 48_000)]),
        ([(3, 99)], [(48_000, 64_000)]),
        ([(4, 5), (7, 8)], []),
        ([(1, 1)], []),
        ([], []),
        ([(2, 3), (0, 1)], [(0, 16_000), (32_000, 48_000)]),
    ],
)
def test_spans_are_merged_and_clipped_to_the_audio(spans, expected):
    assert merged([SpanIn(start=float(a), end=float(b)) for a, b in spans], total=64_000) == tuple(expected)
