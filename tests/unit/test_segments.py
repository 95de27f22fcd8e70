"""Where segments end, case by case."""

import pytest

from common.segments import SegmentLimits, segment_words
from common.timeline import Segment, Word
from tests.support.transcripts import spoken


def texts(words, **limits):
    return [segment.text for segment in segment_words(words, limits=SegmentLimits(**limits))]


SENTENCES = {
    "full stops": ("It rains. We stay.", ["It rains.", "We stay."]),
    "questions and calls": ("Really? Yes! So what…", ["Really?", "Yes!", "So what…"]),
    "an ellipsis that goes on": ("Well… maybe not.", ["Well… maybe not."]),
    "inside quotes": ('He said "stop." Then he left.', ['He said "stop."', "Then he left."]),
    "titles": ("Mr. Smith met Dr. Jones. They spoke.", ["Mr. Smith met Dr. Jones.", "They spoke."]),
    "in brackets": ("Our host (Prof. Lee) left. We too.", ["Our host (Prof. Lee) left.", "We too."]),
    "initials": ("J. R. Tolkien wrote. So do I. You?", ["J. R. Tolkien wrote.", "So do I.", "You?"]),
    "dotted abbreviations": ("The U.S. Senate met at 5 p.m. Monday.", ["The U.S. Senate met at 5 p.m. Monday."]),
    "an abbreviation before a small letter": ("Apples, etc. are fruit.", ["Apples, etc. are fruit."]),
    "companies": ("Acme Inc. Sold Baker Ltd. Yesterday. Why?", ["Acme Inc. Sold Baker Ltd. Yesterday.", "Why?"]),
    "months": ("We met on Jan. 5. It was Dec. We left.", ["We met on Jan. 5.", "It was Dec.", "We left."]),
    "counted things": (
        "See vol. 2, p. 7. It is No. 5. No. We go.",
        ["See vol. 2, p. 7.", "It is No. 5.", "No.", "We go."],
    ),
    "items of a list": (
        "1. Apples. 2. Pears. It was 2020. Why 3?",
        ["1. Apples.", "2. Pears.", "It was 2020.", "Why 3?"],
    ),
    "years are no items": ("When? 1999. Sure.", ["When?", "1999.", "Sure."]),
    "spanish": ("La Sra. Gil vive en EE. UU. Hoy. Sí.", ["La Sra. Gil vive en EE. UU. Hoy.", "Sí."]),
    "german": ("Am 3. Oktober bzw. Montag. Gut.", ["Am 3. Oktober bzw. Montag.", "Gut."]),
    "german ordinals": ("Im 19. Jahrhundert. Er ist 3. Sie auch.", ["Im 19. Jahrhundert.", "Er ist 3.", "Sie auch."]),
    "german streets": ("Lange Str. 5. Dann Neue Str. Dort.", ["Lange Str. 5.", "Dann Neue Str.", "Dort."]),
    "french quotes": ("« Bonjour ! » dit-il. Il part.", ["« Bonjour ! » dit-il.", "Il part."]),
    "I after an ellipsis": ("Well... I think so. I'm sure.", ["Well... I think so.", "I'm sure."]),
    "numbers": ("It costs 3.5 dollars. Fine.", ["It costs 3.5 dollars.", "Fine."]),
    "devanagari": ("वह आया। वह गया।", ["वह आया।", "वह गया।"]),
    "arabic": ("كيف؟ جيد.", ["كيف؟", "جيد."]),
    "nothing but marks": ("... ?", ["...", "?"]),
    "no marks": ("it rains we stay", ["it rains we stay"]),
}


@pytest.mark.parametrize(("text", "expected"), SENTENCES.values(), ids=SENTENCES)
def test_sentences(text, expected):
    assert texts(spoken(text)) == expected


def unspaced(*parts: str) -> list[Word]:
    return [Word(part, i * 0.3, i * 0.3 + 0.2, space_before=False) for i, part in enumerate(parts)]


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        (("今日", "は", "雨", "。", "明日", "は", "？", "」", "はい"), ["今日は雨。", "明日は？」", "はい"]),
        (("3.", "5"), ["3.5"]),
        (("Really", "?", "!", "Yes"), ["Really?!", "Yes"]),
        (("Mr", ".", "X", "."), ["Mr.X."]),
        (("1", ".", "」", "はい"), ["1.」はい"]),
    ],
)
def test_scripts_without_spaces(parts, expected):
    assert texts(unspaced(*parts)) == expected


def test_a_change_of_speaker_ends_a_segment_and_nobody_is_a_speaker_too():
    words = (*spoken("so you", speaker="A"), *spoken("see", speaker="B", start=1), *spoken("yes", start=1.5))
    assert segment_words(words) == (
        Segment(0, 0.0, 0.9, "so you", "A", words[:2]),
        Segment(1, 1.0, 1.4, "see", "B", words[2:3]),
        Segment(2, 1.5, 1.9, "yes", None, words[3:]),
    )


@pytest.mark.parametrize(("pause_s", "expected"), [(1.0, ["well then"]), (1.01, ["well", "then"])])
def test_a_long_pause_ends_a_segment(pause_s, expected):
    assert texts([Word("well", 0, 1), Word("then", 1 + pause_s, 3)]) == expected


def test_a_pause_is_counted_from_the_last_sound_not_the_last_word():
    words = [Word("long", 0, 5), Word("short", 1, 1.2), Word("next", 5.5, 6)]
    assert texts(words) == ["long short next"]


def test_no_segment_is_longer_than_the_limit_but_for_a_single_word():
    words = [Word("a", 0, 4), Word("b", 4, 8), Word("c", 8, 12), Word("looong", 12, 25), Word("d", 25, 26)]
    assert texts(words, max_duration_s=10) == ["a b", "c", "looong", "d"]


def test_a_pause_on_the_limit_is_no_longer_than_it_at_any_time():
    for start in (0.0, 0.2, 0.7, 1.4, 2.4, 2.9):  # in floats 2.2 - 1.2 is more than 1
        assert texts([Word("well", start, start + 1), Word("then", start + 2, start + 3)]) == ["well then"]


def test_times_cover_words_out_of_order():
    (segment,) = segment_words([Word("b", 1.0, 2.0), Word("a", 0.5, 1.2)])
    assert (segment.start, segment.end, segment.text) == (0.5, 2.0, "b a")


def test_no_words():
    assert segment_words([]) == ()


def test_marks_that_are_words_of_their_own_follow_the_same_rules():
    marks = [Word(text, i * 0.3, i * 0.3 + 0.2, space_before=space) for i, (text, space) in enumerate(
        [("Mr", True), (".", False), ("Lee", True), ("left", True), (".", False), ('"', False), ("We", True)]
    )]  # fmt: skip
    assert texts(marks) == ['Mr. Lee left."', "We"]
