"""Subtitles of the nastiest words are still subtitles, as pysubs2 and webvtt-py read them."""

import html
import io

import pysubs2
import webvtt
from hypothesis import given
from hypothesis import strategies as st

from common.formats import RenderOptions, SubtitleLimits, render
from common.formats.cues import build_cues
from common.formats.escape import flat
from common.formats.pieces import unbreakable
from tests.support.transcripts import nasty_transcripts

limits = st.builds(
    SubtitleLimits,
    max_line_chars=st.integers(10, 50),
    max_lines=st.integers(1, 3),
    max_cue_s=st.integers(1, 10).map(float),
    min_cue_s=st.sampled_from([0.0, 0.7]),
    speaker_labels=st.booleans(),
)
MARKUP = str.maketrans({"<": "‹", ">": "›", "{": "(", "}": ")", "\\": "∖"})
LABEL = str.maketrans({"[": "(", "]": ")"})
SENTINEL = "9999\n99:59:59,000 --> 99:59:59,999\nsentinel\n"  # pysubs2 takes a number on the last line for a cue's


def ink(text: str) -> str:
    """Return what is left to see: text without white space, which moves where lines break."""
    return "".join(flat(text).split())


def ms(timestamp: str) -> int:
    hours, minutes, seconds = timestamp.split(":")
    return int(hours) * 3_600_000 + int(minutes) * 60_000 + int(seconds.replace(".", ""))


@given(nasty_transcripts(), limits)
def test_cues_run_forward_one_at_a_time(transcript, limits):
    shown_until = 0
    for cue in build_cues(transcript, limits):
        assert shown_until <= cue.start_ms < cue.end_ms <= cue.start_ms + limits.max_cue_s * 1000
        shown_until = cue.end_ms


@given(nasty_transcripts(), limits)
def test_lines_are_few_and_short_and_hold_every_word(transcript, limits):
    units = {unit.text for segment in transcript.segments for unit in unbreakable(segment.words)}
    cues = build_cues(transcript, limits)
    assert all(1 <= len(cue.lines) <= limits.max_lines for cue in cues)
    assert all(line and line == flat(line) for cue in cues for line in cue.lines)
    assert all(len(line) <= limits.max_line_chars or line in units for cue in cues for line in cue.lines)
    assert "".join(ink("".join(cue.lines)) for cue in cues) == ink(transcript.text)


@given(nasty_transcripts(), limits)
def test_labels_count_in_the_line_unless_there_is_no_room(transcript, limits):
    label = "[Somebody]"
    units = {unit.text for segment in transcript.segments for unit in unbreakable(segment.words)}
    alone = units | ({label} if limits.max_lines > 1 else {f"{label} {unit}" for unit in units})
    for cue in build_cues(transcript, limits, label=lambda _: label):
        assert 1 <= len(cue.lines) <= limits.max_lines
        assert all(len(line) <= limits.max_line_chars or line in alone for line in cue.lines)
        assert cue.lines[0].startswith(label) == (cue.speaker is not None)


@given(nasty_transcripts(), limits)
def test_pysubs2_reads_srt(transcript, limits):
    document = render(transcript, "srt", RenderOptions(subtitles=limits))["text"]
    read = pysubs2.SSAFile.from_string(f"{document}\n{SENTINEL}", format_="srt")[:-1]
    cues = build_cues(transcript, limits, label=lambda name: f"[{(flat(name) or '_').translate(LABEL)}]")
    assert [(event.start, event.end, event.plaintext) for event in read] == [
        (cue.start_ms, cue.end_ms, "\n".join(cue.lines).translate(MARKUP)) for cue in cues
    ]
    numbers = [block.split("\n")[0] for block in document.split("\n\n") if block]
    assert numbers == [str(number) for number in range(1, len(cues) + 1)]


@given(nasty_transcripts(), limits)
def test_webvtt_reads_vtt(transcript, limits):
    document = render(transcript, "vtt", RenderOptions(subtitles=limits))["text"]
    read = webvtt.from_string(document, strict=True)
    cues = build_cues(transcript, limits)
    assert [(ms(c.start), ms(c.end), c.voice and html.unescape(c.voice), html.unescape(c.text)) for c in read] == [
        (cue.start_ms, cue.end_ms, cue.speaker and (flat(cue.speaker) or "_"), "\n".join(cue.lines)) for cue in cues
    ]


@given(nasty_transcripts())
def test_documents_can_be_written_as_utf8_with_one_kind_of_line_end(transcript):
    for name in ("text", "srt", "vtt", "tsv", "rttm", "stm", "ctm"):
        document = render(transcript, name, RenderOptions())["text"]
        data = document.encode("utf-8")
        assert io.TextIOWrapper(io.BytesIO(data), encoding="utf-8").read() == document
        assert document.splitlines() == document.rstrip("\n").split("\n") or not document.strip()
