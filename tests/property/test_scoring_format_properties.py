"""RTTM, STM, CTM and TSV of the nastiest words, as meeteval and the csv module read them."""

import csv
import io
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from common.formats import RenderOptions, render
from common.formats.escape import flat, speaker_fields
from tests.support.optional import needed
from tests.support.transcripts import nasty_text, nasty_transcripts

meeteval_io = needed("meeteval.io")
CTM, RTTM, STM = meeteval_io.CTM, meeteval_io.RTTM, meeteval_io.STM

MARKS = str.maketrans({"<": "‹", ">": "›", "{": "[", "}": "]"})
uris = st.just("audio") | nasty_text


def document(transcript, name: str, uri: str) -> str:
    return render(transcript, name, RenderOptions(uri=uri))["text"]


def ms(seconds: float) -> int:
    return round(seconds * 1000)


@given(nasty_transcripts())
def test_speakers_stay_apart_in_one_field(transcript):
    fields = speaker_fields(transcript)
    assert set(fields) == set(transcript.speakers)
    assert len(set(fields.values())) == len(fields)
    assert all(field.split() == [field] and not set(field) & set("/\\<>;") for field in fields.values())


@given(nasty_transcripts(), uris)
def test_meeteval_reads_rttm(transcript, uri):
    lines = RTTM.parse(document(transcript, "rttm", uri)).lines
    fields = speaker_fields(transcript)
    spans = transcript.turns or [segment for segment in transcript.segments if segment.speaker is not None]
    assert sorted((ms(x.begin_time), ms(x.begin_time + x.duration), x.speaker_id) for x in lines) == sorted(
        (ms(span.start), ms(span.end), fields[span.speaker]) for span in spans if ms(span.end) > ms(span.start)
    )
    assert [line.begin_time for line in lines] == sorted(line.begin_time for line in lines)
    assert len({line.filename for line in lines}) <= 1


@given(nasty_transcripts(), uris)
def test_meeteval_reads_stm(transcript, uri):
    lines = STM.parse(document(transcript, "stm", uri)).lines
    fields = {None: "UNKNOWN", **speaker_fields(transcript)}
    said = [segment for segment in transcript.segments if flat(segment.text)]
    said.sort(key=lambda segment: segment.start)
    assert [(ms(x.begin_time), ms(x.end_time), x.speaker_id, x.transcript) for x in lines] == [
        (ms(s.start), ms(s.end), fields[s.speaker], flat(s.text).translate(MARKS)) for s in said
    ]
    assert {line.channel for line in lines} <= {"1"}


@given(nasty_transcripts(), uris)
def test_meeteval_reads_ctm(transcript, uri):
    lines = CTM.parse(document(transcript, "ctm", uri)).lines
    printed = [(word, part) for word in transcript.words for part in flat(word.text).split()]
    assert sorted(line.word for line in lines) == sorted(part.translate(MARKS) for _, part in printed)
    assert [line.begin_time for line in lines] == sorted(line.begin_time for line in lines)
    single = [word for word in transcript.words if len(flat(word.text).split()) == 1]
    written = {(line.word, line.begin_time, line.duration, line.confidence) for line in lines}
    for word in single:
        start, end = Decimal(ms(word.start)) / 1000, Decimal(ms(word.end)) / 1000
        confidence = None if word.confidence is None else f"{word.confidence:.4f}"
        assert (flat(word.text).translate(MARKS), start, end - start, confidence) in written


@given(nasty_transcripts())
def test_csv_reads_tsv_quoted_or_not(transcript):
    text = document(transcript, "tsv", "audio")
    expected = [
        [str(ms(s.start)), str(ms(s.end)), s.speaker and (flat(s.speaker) or "_"), flat(s.text)]
        for s in transcript.segments
        if flat(s.text)
    ]
    rows = [[(field or "").replace('"', "'") for field in row] for row in expected]
    for quoting in (csv.QUOTE_NONE, csv.QUOTE_MINIMAL):
        header, *read = csv.reader(io.StringIO(text, newline=""), delimiter="\t", quoting=quoting)
        assert header == ["start", "end", "speaker", "text"]
        assert read == rows
