"""Where a sentence is cut that goes on for too long, or that nobody knows the end of."""

import time
from dataclasses import replace

import pytest

from common.segments import SegmentLimits, segment_words
from common.timeline import Word
from tests.support.transcripts import spoken

COUNT = "one two three four five six seven eight nine ten eleven twelve"


def texts(words, **limits):
    return [segment.text for segment in segment_words(words, limits=SegmentLimits(**limits))]


def halting(text: str, pauses: dict[str, float]) -> list[Word]:
    """Return a word a second, 0.1 s between them, and before the words in `pauses` that many seconds more."""
    words, later = [], 0.0
    for word in spoken(text, step=1.0):
        later += pauses.get(word.text, 0.0)
        words.append(word.shifted(later))
    return words


@pytest.mark.parametrize(
    ("text", "pauses", "expected"),
    [
        (COUNT, {}, ["one two three four five six", "seven eight nine ten eleven twelve"]),
        (COUNT, {"four": 0.4, "nine": 0.3}, ["one two three", "four five six seven eight nine ten eleven twelve"]),
        (COUNT, {"five": 0.05}, ["one two three four five six", "seven eight nine ten eleven twelve"]),
        (COUNT.replace("ee", "ee,"), {}, ["one two three,", "four five six seven eight nine ten eleven twelve"]),
        (COUNT.replace("ee", 'ee,"'), {}, ['one two three,"', "four five six seven eight nine ten eleven twelve"]),
        (COUNT.replace("ee", "ee,"), {"six": 0.2},
         ["one two three, four five", "six seven eight nine ten eleven twelve"]),
        (COUNT.replace("ee", "ee;"), {"four": 0.3, "six": 0.3},
         ["one two three;", "four five six seven eight nine ten eleven twelve"]),
        (COUNT.replace("one", "one,").replace("ven", "ven,"), {},
         ["one, two three four five six seven,", "eight nine ten eleven, twelve"]),
        (COUNT, {"two": 0.3, "twelve": 0.3}, ["one two three four five six", "seven eight nine ten eleven twelve"]),
        (COUNT.replace("six", "Mr."), {}, ["one two three four five Mr. seven", "eight nine ten eleven twelve"]),
    ],
    ids=[
        "the middle", "a pause", "hardly a pause", "a comma", "a comma in quotes", "a pause before a comma",
        "pauses alike, one at a mark", "the comma nearest the middle", "no word alone", "no name from its title",
    ],
)  # fmt: skip
def test_the_best_place(text, pauses, expected):
    assert texts(halting(text, pauses), max_duration_s=11.0 + sum(pauses.values())) == expected


def test_a_sentence_is_cut_until_every_piece_fits():
    words = spoken(" ".join([COUNT] * 2) + ". Then we stopped.", step=1.0)
    assert texts(words, max_duration_s=7.5) == [
        "one two three four",
        "five six seven eight",
        "nine ten eleven twelve",
        "one two three four",
        "five six seven eight",
        "nine ten eleven twelve.",
        "Then we stopped.",
    ]


def test_a_sentence_just_over_the_limit_leaves_no_single_word():
    words = halting("a b c, d e f g h.", {})
    assert texts(words, max_duration_s=7.5) == ["a b c,", "d e f g h."]


def test_marks_that_are_words_of_their_own_stay_with_their_word():
    parts = [("one", True), ("two", True), (",", False), ('"', False), ("three", True), ("four", True)]
    words = [Word(text, i, i + 0.9, space_before=space) for i, (text, space) in enumerate(parts)]
    assert texts(words, max_duration_s=5.0) == ['one two,"', "three four"]


def test_scripts_without_spaces_are_cut_between_words_but_not_before_marks():
    words = [
        Word(text, i, i + 0.9, space_before=False) for i, text in enumerate(["今日", "は", "雨", "、", "明日", "は"])
    ]
    assert texts(words, max_duration_s=5.0) == ["今日は雨、", "明日は"]


def test_talk_without_marks_is_cut_at_shorter_pauses_once_it_is_long():
    words = halting(COUNT, {"four": 0.5, "eleven": 0.4, "twelve": 0.3})
    assert texts(words) == ["one two three four five six seven eight nine ten", "eleven twelve"]


@pytest.mark.parametrize(
    ("text", "pauses"),
    [(COUNT, {"eleven": 0.3}), (COUNT, {"ten": 0.4}), (COUNT.replace("two", "two,"), {"eleven": 0.4})],
    ids=["a short pause", "a talk that is not long yet", "an engine that gives marks"],
)
def test_talk_goes_on_over_shorter_pauses(text, pauses):
    assert texts(halting(text, pauses)) == [text]


def test_the_words_of_one_segment_do_not_depend_on_what_follows_the_sentence():
    words = halting(COUNT + ". And so on", {"four": 0.4})
    first, second, *_ = texts(words, max_duration_s=10.0)
    assert (first, second) == ("one two three", "four five six seven eight nine ten eleven twelve.")
    assert texts(words[:12], max_duration_s=10.0) == [first, second]


@pytest.mark.parametrize("word_s", [0.3, 0.01])
def test_three_hours_without_marks_or_pauses_take_no_time(word_s):
    words = [Word("word", index * word_s, (index + 1) * word_s) for index in range(36_000)]
    started = time.process_time()
    segments = segment_words(words)
    assert time.process_time() - started < 2.0  # 0.1 s where nothing else runs
    assert max(segment.end - segment.start for segment in segments) <= 30.0
    assert min(segment.end - segment.start for segment in segments[:-1]) > 14.9
    assert segment_words([replace(word) for word in words]) == segments
