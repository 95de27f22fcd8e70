"""A stored result renders as the transcript did that it was made of; edits lose no word."""

import json
from dataclasses import asdict

from hypothesis import given, settings
from hypothesis import strategies as st

from common.formats import FORMAT_NAMES, JSON_FORMATS, RenderOptions, render
from common.timeline import join_words
from orchestrator.server.documents import parse_edits, rendered, result_document
from tests.support.server_documents import edits_of, job_of
from tests.support.transcripts import nasty_transcripts

NAMES = st.sampled_from(["Ann", "Zoë <b>", "-->", "雨", "a\nb\tc"])


def stored(transcript):
    answer = {
        **render(transcript, "verbose_json", RenderOptions()),
        "diarization_segments": [asdict(turn) for turn in transcript.turns],
    }
    return json.loads(json.dumps(result_document(job_of(), answer)))


def encodable(transcript):
    """Half characters: neither engines nor checked requests have them, and no file can."""
    return "\ud800" not in transcript.text + "".join(transcript.speakers)


def editable(transcript):
    """Words that print nothing are not kept when a reader edits."""
    return encodable(transcript) and all(word.text for word in transcript.words)


@settings(max_examples=40)
@given(nasty_transcripts().filter(encodable))
def test_a_stored_result_renders_as_its_transcript(transcript):
    result = stored(transcript)
    for name in FORMAT_NAMES:
        content = rendered(result, name).content.decode()
        expected = render(transcript, name, RenderOptions())
        if name in JSON_FORMATS:
            assert expected.items() <= json.loads(content).items()
        else:
            assert content == expected["text"]


@settings(max_examples=40)
@given(nasty_transcripts().filter(editable), st.lists(NAMES, min_size=5, max_size=5))
def test_edits_lose_no_word_and_no_speaker(transcript, names):
    result = stored(transcript)
    shown = dict(zip(transcript.speakers, names, strict=False))
    edited = parse_edits(edits_of(result, **shown))
    diarized = json.loads(rendered(result, "diarized_json", edited=edited).content)
    assert diarized["text"] == join_words(transcript.words)
    assert [segment["text"] for segment in diarized["segments"]] == [one["text"] for one in result["segments"]]
    told = {**shown, **edited.names, None: "UNKNOWN"}
    assert [segment["speaker"] for segment in diarized["segments"]] == [
        told[segment["speaker"]] for segment in result["segments"]
    ]
