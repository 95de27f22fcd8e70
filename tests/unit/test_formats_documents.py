"""One conversation in every text format, letter by letter."""

from dataclasses import replace

import pytest

from common.formats import RenderOptions, SubtitleLimits, render
from common.timeline import Segment, Transcript, Turn, Word
from tests.support.transcripts import spoken, transcript_of

WORDS = (
    *spoken("Good morning.", speaker="SPEAKER_00"),
    *spoken("How are you?", speaker="SPEAKER_00", start=1.0),
    *spoken("Fine & well, thanks.", speaker="SPEAKER_01", start=2.5),
    Word("Mm.", 4.5, 4.6, 0.25),
)
TURNS = (Turn(2.5, 4.4, "SPEAKER_01"), Turn(0.0, 2.4004, "SPEAKER_00"), Turn(3, 3.0001, "SPEAKER_00"))
TALK = transcript_of(*WORDS, turns=TURNS)

DOCUMENTS = {
    "text": "SPEAKER_00: Good morning. How are you?\nSPEAKER_01: Fine & well, thanks.\nUNKNOWN: Mm.",
    "srt": """\
1
00:00:00,000 --> 00:00:00,900
[SPEAKER_00] Good morning.

2
00:00:01,000 --> 00:00:02,400
[SPEAKER_00] How are you?

3
00:00:02,500 --> 00:00:04,400
[SPEAKER_01] Fine & well, thanks.

4
00:00:04,500 --> 00:00:04,600
Mm.
""",
    "vtt": """\
WEBVTT

00:00:00.000 --> 00:00:00.900
<v SPEAKER_00>Good morning.</v>

00:00:01.000 --> 00:00:02.400
<v SPEAKER_00>How are you?</v>

00:00:02.500 --> 00:00:04.400
<v SPEAKER_01>Fine &amp; well, thanks.</v>

00:00:04.500 --> 00:00:04.600
Mm.
""",
    "tsv": """\
start\tend\tspeaker\ttext
0\t900\tSPEAKER_00\tGood morning.
1000\t2400\tSPEAKER_00\tHow are you?
2500\t4400\tSPEAKER_01\tFine & well, thanks.
4500\t4600\t\tMm.
""",
    "rttm": """\
SPEAKER call 1 0.000 2.400 <NA> <NA> SPEAKER_00 <NA> <NA>
SPEAKER call 1 2.500 1.900 <NA> <NA> SPEAKER_01 <NA> <NA>
""",
    "stm": """\
call 1 SPEAKER_00 0.000 0.900 Good morning.
call 1 SPEAKER_00 1.000 2.400 How are you?
call 1 SPEAKER_01 2.500 4.400 Fine & well, thanks.
call 1 UNKNOWN 4.500 4.600 Mm.
""",
    "ctm": """\
call 1 0.000 0.400 Good
call 1 0.500 0.400 morning.
call 1 1.000 0.400 How
call 1 1.500 0.400 are
call 1 2.000 0.400 you?
call 1 2.500 0.400 Fine
call 1 3.000 0.400 &
call 1 3.500 0.400 well,
call 1 4.000 0.400 thanks.
call 1 4.500 0.100 Mm. 0.2500
""",
}
EMPTY = {"vtt": "WEBVTT\n", "tsv": "start\tend\tspeaker\ttext\n"}


def document(transcript: Transcript, name: str, **options) -> str:
    result = render(transcript, name, RenderOptions(**options))
    assert result == {"text": result["text"], "format": name}
    return result["text"]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_document(name):
    assert document(TALK, name, uri="call") == DOCUMENTS[name]


@pytest.mark.parametrize("name", DOCUMENTS)
@pytest.mark.parametrize("empty", [transcript_of(), transcript_of(Word("\n", 0, 1, speaker="A"), Word("", 5, 6))])
def test_document_of_nothing_printable(name, empty):
    expected = "SPEAKER audio 1 0.000 1.000 <NA> <NA> A <NA> <NA>\n" if name == "rttm" and empty.words else ""
    assert document(empty, name) == EMPTY.get(name, expected)


def test_text_without_speakers_is_one_line():
    assert document(replace(TALK, diarized=False), "text") == "Good morning. How are you? Fine & well, thanks. Mm."


@pytest.mark.parametrize("name", ["srt", "vtt"])
def test_subtitles_without_labels(name):
    unasked = document(replace(TALK, diarized=False), name)
    unwanted = document(TALK, name, subtitles=SubtitleLimits(speaker_labels=False))
    assert unasked == unwanted
    assert "SPEAKER" not in unwanted
    assert "Good morning." in unwanted.splitlines()


def test_rttm_from_segments_where_there_are_no_turns():
    assert document(replace(TALK, turns=()), "rttm") == (
        "SPEAKER audio 1 0.000 0.900 <NA> <NA> SPEAKER_00 <NA> <NA>\n"
        "SPEAKER audio 1 1.000 1.400 <NA> <NA> SPEAKER_00 <NA> <NA>\n"
        "SPEAKER audio 1 2.500 1.900 <NA> <NA> SPEAKER_01 <NA> <NA>\n"
    )


def test_speakers_whose_fields_look_alike_stay_apart():
    words = [Word("hi", i, i + 0.5, speaker=name) for i, name in enumerate(["Ann Lee", "Ann/Lee", "Ann_Lee", "\n"])]
    fields = [line.split()[2] for line in document(transcript_of(*words), "stm").splitlines()]
    assert fields == ["Ann_Lee", "Ann_Lee_2", "Ann_Lee_3", "_"]


def test_a_segment_without_words_is_written_by_its_text():
    bare = Transcript((Segment(0, 0.0, 4.0, "two words", "A"),), 4.0, "en", diarized=True)
    assert document(bare, "text") == "A: two words"
    assert document(bare, "stm") == "audio 1 A 0.000 4.000 two words\n"
    assert document(bare, "ctm") == "audio 1 0.000 1.500 two\naudio 1 1.500 2.500 words\n"
    assert document(bare, "srt") == "1\n00:00:00,000 --> 00:00:04,000\n[A] two words\n"


def test_scorers_read_marks_as_words():
    assert document(transcript_of(*spoken(";; <unk> { a / b } and/or")), "stm", uri=";; my/file <1>") == (
        "___my_file__1_ 1 UNKNOWN 0.000 3.900 ;; ‹unk› [ a / b ] and/or\n"
    )


def test_times_that_no_audio_has_are_written_as_the_latest():
    late = transcript_of(turns=(Turn(0, 1e308, "A"),))
    assert document(late, "rttm") == "SPEAKER audio 1 0.000 1000000000.000 <NA> <NA> A <NA> <NA>\n"
