"""JSON and plain text hold all there is to know of the words."""

import json
from dataclasses import replace
from itertools import groupby

from hypothesis import given

from common.formats import RenderOptions, render, transcript_words
from common.formats.escape import finite_confidence, flat, rounded_seconds
from common.timeline import Transcript, join_words
from tests.support.transcripts import nasty_transcripts


def encodable(transcript: Transcript) -> bool:
    """Tell whether JSON can hold the text: neither requests nor engines bring lone surrogates."""
    return "\ud800" not in transcript.text + "".join(transcript.speakers)


@given(nasty_transcripts().filter(encodable))
def test_words_come_back_through_json(transcript):
    document = json.dumps(render(transcript, "verbose_json", RenderOptions()), allow_nan=False, ensure_ascii=False)
    verbose = json.loads(document.encode())
    assert transcript_words(verbose) == tuple(
        replace(
            word,
            start=rounded_seconds(word.start),
            end=rounded_seconds(word.end),
            confidence=finite_confidence(word.confidence),
        )
        for word in transcript.words
    )
    assert join_words(transcript_words(verbose)) == verbose["text"]
    assert [s["text"] for s in verbose["segments"]] == [segment.text for segment in transcript.segments]


@given(nasty_transcripts())
def test_plain_text_has_one_line_per_turn_of_talk(transcript):
    expected = []
    for speaker, words in groupby(transcript.words, key=lambda word: word.speaker):
        text = flat(join_words(words))
        label = "UNKNOWN" if speaker is None else flat(speaker) or "_"
        expected += [f"{label}: {text}"] if text else []
    assert render(transcript, "text", RenderOptions())["text"] == "\n".join(expected)
