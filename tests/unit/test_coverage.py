import time

import pytest

from common.coverage import Coverage, coverage_warnings, duration_s, splice, uncovered, union, without
from common.results import CoverageOut
from common.timeline import Word


def word(text, start, end, **fields):
    return Word(text, start, end, **fields)


def said(words):
    return " ".join(one.text for one in words)


HELLO = word("Hello", 0.0, 0.5)
BYE = word("Bye.", 5.0, 5.5)


@pytest.mark.parametrize(
    ("spans", "expected"),
    [
        ([], ()),
        ([(1, 1)], ()),
        ([(3, 4), (1, 2)], ((1, 2), (3, 4))),
        ([(1, 2), (2, 3)], ((1, 3),)),
        ([(1, 9), (2, 3), (8, 10)], ((1, 10),)),
    ],
)
def test_union_joins_what_touches(spans, expected):
    assert union(spans) == expected


@pytest.mark.parametrize(
    ("spans", "taken", "expected"),
    [
        ([(0, 10)], [], ((0, 10),)),
        ([(0, 10)], [(2, 3), (4, 5)], ((0, 2), (3, 4), (5, 10))),
        ([(0, 10)], [(-1, 2), (9, 11)], ((2, 9),)),
        ([(0, 2), (3, 5)], [(1, 4)], ((0, 1), (4, 5))),
        ([(0, 2), (3, 5), (6, 7)], [(1, 4), (6, 7)], ((0, 1), (4, 5))),
        ([(2, 3)], [(0, 1), (3, 4)], ((2, 3),)),
        ([(2, 3)], [(1, 4)], ()),
    ],
)
def test_without_takes_away_only_what_is_taken(spans, taken, expected):
    assert without(spans, taken) == expected


def test_speech_is_uncovered_where_every_word_is_far():
    stretches = [(4.0, 6.0), (0.0, 3.0), (2.5, 5.0)]
    assert uncovered(stretches, [HELLO, BYE], min_s=1.0, margin_s=0.25) == ((0.75, 4.75),)
    assert uncovered(stretches, [HELLO, BYE], min_s=4.5, margin_s=0.25) == ()
    assert uncovered(stretches, [HELLO, BYE], min_s=0.25, margin_s=0.25) == ((0.75, 4.75), (5.75, 6.0))


def test_silence_needs_no_words_and_all_of_unheard_speech_is_uncovered():
    assert uncovered([], [HELLO], min_s=0.0, margin_s=0.0) == ()
    assert uncovered([(1.0, 2.0), (1.5, 4.0)], [], min_s=1.0, margin_s=0.3) == ((1.0, 4.0),)


def test_a_day_of_meetings_is_no_work():
    words = [word("a", second / 2, second / 2 + 0.3) for second in range(36_000)]
    stretches = [(3.0 * number, 3.0 * number + 4.0) for number in range(6_000)]
    started = time.process_time()
    assert len(uncovered(stretches, words, min_s=0.05, margin_s=0.05)) == 36_000
    assert time.process_time() - started < 0.5


def test_found_words_go_into_the_hole():
    found = [word("there,", 1.0, 1.5), word("old", 2.0, 2.4), word("friend.", 2.5, 3.0)]
    assert splice([HELLO, BYE], found, span=(0.7, 4.8)) == (HELLO, *found, BYE)


def test_words_outside_the_hole_are_not_taken():
    found = [word("Yellow", 0.1, 0.4), word("there,", 0.6, 1.4), word("by", 4.8, 5.2)]
    assert said(splice([HELLO, BYE], found, span=(0.7, 4.8))) == "Hello there, Bye."


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ([("hello,", 0.75, 0.9), ("there", 1.0, 1.5)], "Hello there Bye."),
        ([("hello,", 1.1, 1.3), ("there", 1.4, 1.5)], "Hello hello, there Bye."),
        ([("so", 4.0, 4.2), ("BYE", 4.4, 4.7)], "Hello so Bye."),
        ([("BYE", 4.0, 4.2), ("so", 4.4, 4.7)], "Hello BYE so Bye."),
        ([("hello", 0.8, 1.0), ("bye", 4.6, 4.7)], "Hello Bye."),
    ],
)
def test_a_neighbour_is_not_doubled(found, expected):
    assert said(splice([HELLO, BYE], [word(*one) for one in found], span=(0.7, 4.8))) == expected


def test_several_words_that_were_heard_on_both_sides_are_kept_once():
    words = [word("I", 0.0, 0.1), word("do", 0.2, 0.3), word("not", 0.4, 0.5)]
    found = [word("do", 0.75, 0.8), word("not.", 0.8, 0.9), word("know", 1.0, 1.2)]
    assert said(splice(words, found, span=(0.7, 2.0))) == "I do not know"


def test_found_words_are_moved_into_order_and_nothing_else_is():
    late, early = word("late", 2.0, 2.4), word("early", 1.0, 1.5, confidence=0.5)
    spliced = splice([HELLO, BYE], [late, early], span=(0.7, 4.8))
    assert spliced == (HELLO, late, word("early", 2.0, 2.0, confidence=0.5), BYE)
    spread = splice([word("a", 1.0, 1.2), word("b", 2.0, 2.2)], [word("wide", 0.0, 3.0)], span=(1.2, 1.9))
    assert [one.start for one in spread] == [1.0, 1.0, 2.0]


def test_words_that_lie_in_the_hole_all_the_same_are_kept():
    middle = word("middle", 2.0, 2.5)
    found = [word("first", 1.0, 1.5), word("last", 3.0, 3.5)]
    assert said(splice([HELLO, middle, BYE], found, span=(0.7, 4.8))) == "Hello first middle last Bye."


def test_nothing_found_changes_nothing():
    words = (HELLO, BYE)
    assert splice(words, [], span=(0.7, 4.8)) == words
    assert splice([], [HELLO], span=(0.0, 9.0)) == (HELLO,)


COVERAGE = Coverage(
    speech_s=10.00049, repaired_s=1.23456, empty=((1.0, 2.5), (3.0004, 4.0)), failed=((2.0, 3.0), (7.0, 7.2))
)


def test_coverage_in_json():
    assert COVERAGE.as_dict() == {
        "speech_s": 10.0,
        "repaired_s": 1.235,
        "empty_s": 2.5,
        "empty": [{"start": 1.0, "end": 2.5}, {"start": 3.0, "end": 4.0}],
        "failed": [{"start": 2.0, "end": 3.0}, {"start": 7.0, "end": 7.2}],
    }
    again = CoverageOut.model_validate(COVERAGE.as_dict()).coverage()
    assert again.as_dict() == COVERAGE.as_dict()
    assert duration_s(again.empty) == 2.5


def test_speech_without_words_is_one_warning_that_counts_it_once():
    assert coverage_warnings(COVERAGE) == ["3.2 s of speech have no words (see coverage)"]
    assert coverage_warnings(CoverageOut.model_validate(COVERAGE.as_dict()).coverage()) == coverage_warnings(COVERAGE)


@pytest.mark.parametrize("coverage", [None, Coverage(speech_s=4.0, repaired_s=2.0)])
def test_covered_speech_needs_no_warning(coverage):
    assert coverage_warnings(coverage) == []


def test_a_word_said_twice_is_found_again_where_its_first_is_heard_too():
    known = (Word("say", 0.2, 0.5), Word("no", 0.6, 0.9), Word("end", 4.0, 4.3))
    found = (Word("no", 0.6, 0.9), Word("No.", 1.2, 1.5), Word("go", 2.0, 2.3))
    assert [word.text for word in splice(known, found, span=(1.0, 3.8))] == ["say", "no", "No.", "go", "end"]
    assert [word.text for word in splice(known, found[1:], span=(1.0, 3.8))] == ["say", "no", "go", "end"]
