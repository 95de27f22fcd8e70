"""The speaker of a word, case by case."""

import sys
from dataclasses import replace
from types import FrameType

import pytest

from common.speakers import assign_speakers
from common.timeline import Turn, Word

A, B, C = "A", "B", "C"

CASES = {
    "inside one turn": ((0.2, 0.4), [(0, 1, A), (2, 3, B)], A),
    "more of it in the first": ((0.6, 1.1), [(0, 0.9, A), (0.9, 2, B)], A),
    "more of it in the second": ((0.8, 1.4), [(0, 0.9, A), (0.9, 2, B)], B),
    "as much in either: who starts first": ((0.8, 1.0), [(0, 0.9, B), (0.9, 2, A)], B),
    "as much in either but for rounding": ((0.1, 0.7), [(0, 0.4, B), (0.4, 1, A)], B),
    "as much in either but for less than a microsecond": ((0, 1), [(0, 0.5, B), (0.4999994, 1, A)], B),
    "both talk throughout: whose turn is shorter": ((1.0, 1.3), [(0.5, 3, B), (0.6, 3, A)], A),
    "both talk throughout, as long: who starts first": ((1.5, 1.8), [(0, 3, B), (1, 4, A)], B),
    "both start together: whose turn ends first": ((1.0, 1.3), [(0, 3, A), (0, 2, B)], B),
    "identical turns: the label that sorts first": ((1.0, 1.3), [(0, 2, B), (0, 2, A)], A),
    "pieces of one speaker add up": ((1.0, 2.0), [(0.9, 1.3, A), (1.3, 1.7, B), (1.7, 2.1, A)], A),
    "pieces on both sides outweigh the middle": ((0.0, 3.0), [(0, 1, A), (1, 2.5, B), (2.4, 3, A)], A),
    "overlapping turns of one speaker count once": ((0.0, 1.0), [(0, 0.4, A), (0.1, 0.4, A), (0.4, 1, B)], B),
    "a swallowed pause": ((0.5, 6.0), [(0, 1.0, A), (5.0, 5.8, B)], B),
    "turns are half-open": ((1.0, 1.4), [(0, 1.0, A), (1.0, 2.0, B)], B),
    "no duration, inside": ((1.0, 1.0), [(0, 2, A), (3, 4, B)], A),
    "no duration, where one turn ends and one starts": ((2.0, 2.0), [(0, 2, A), (2, 4, B)], B),
    "no duration, in two turns: whose is shorter": ((2.5, 2.5), [(2, 4, A), (0, 4, B)], A),
    "no duration, in a gap": ((2.5, 2.5), [(0, 1, A), (3, 4, B)], B),
    "in a gap, nearer to the earlier": ((1.2, 1.4), [(0, 1, A), (2, 3, B)], A),
    "in a gap, nearer to the later": ((1.5, 1.7), [(0, 1, A), (2, 3, B)], B),
    "in a gap, as near to either": ((1.4, 1.6), [(0, 1, B), (2, 3, A)], B),
    "after a long turn that outlasts a later one": ((5.5, 5.7), [(0, 5, A), (1, 2, B)], A),
    "in a gap, as near to either but for less than a microsecond": ((1.5, 1.5), [(0, 1, B), (1.9999994, 3, A)], B),
    "after two turns that end together: who started first": ((1.2, 1.4), [(0.5, 1, A), (0, 1, B)], B),
    "before two turns that start together: whose turn ends first": ((0, 1), [(1.5, 3, A), (1.5, 2, B)], B),
    "before all turns": ((0.0, 0.5), [(2.5, 3, A)], A),
    "a little too far before": ((0.0, 0.499), [(2.5, 3, A)], None),
    "just near enough behind": ((5.0, 5.5), [(2.5, 3, A)], A),
    "far from all": ((30, 30.4), [(0, 1, A)], None),
    "no turns": ((0, 0.4), [], None),
    "a turn without duration is a place to be near to": ((1.0, 2.0), [(1.5, 1.5, A)], A),
    "a turn without duration is no nearer than one that touches": ((1.0, 2.0), [(1.5, 1.5, A), (0, 1, B)], B),
    "a turn without duration outweighs nobody": ((1.0, 2.0), [(1.5, 1.5, A), (1.9, 3, B)], B),
    "times that no audio has": ((1e300, 1e305), [(0, 1e308, A)], A),
}


@pytest.mark.parametrize(("span", "turns", "expected"), CASES.values(), ids=CASES)
def test_speaker_of_one_word(span, turns, expected):
    (word,) = assign_speakers([Word("so", *span)], [Turn(*turn) for turn in turns])
    assert word.speaker == expected


@pytest.mark.parametrize(("max_gap_s", "expected"), [(0.0, None), (0.5, A), (float("inf"), A)])
def test_the_gap_is_a_choice(max_gap_s, expected):
    (word,) = assign_speakers([Word("so", 1.5, 2)], [Turn(0, 1, A)], max_gap_s=max_gap_s)
    assert word.speaker == expected


def test_only_the_speaker_changes_and_an_old_one_is_forgotten():
    words = [Word("字", 0, 1, 0.5, "old", space_before=False), Word("late", 9, 9.5, None, "old", overlap=True)]
    here, late = assign_speakers(words, [Turn(0, 1, B)])
    assert replace(here, speaker_confidence=None) == Word("字", 0, 1, 0.5, B, space_before=False)
    assert late == Word("late", 9, 9.5)


def test_words_keep_their_order_when_it_is_not_that_of_time():
    words = [Word("three", 4, 5), Word("one", 0, 1), Word("two", 2, 3)]
    turns = [Turn(1.9, 3.9, B), Turn(3.9, 6, C), Turn(0, 1.5, A)]
    assert [(w.text, w.speaker) for w in assign_speakers(words, turns)] == [("three", C), ("one", A), ("two", B)]


def test_no_words():
    assert assign_speakers([], [Turn(0, 1, A)]) == ()


def a_meeting(minutes: int) -> tuple[list[Word], list[Turn]]:
    """Three words a second, a change of speaker every two seconds, and a chairman who never stops."""
    words = [Word("w", i / 3, i / 3 + 0.3) for i in range(minutes * 180)]
    turns = [Turn(i * 2.0, i * 2.0 + 1.9, f"S{i % 6}") for i in range(minutes * 30)]
    return words, [*turns, Turn(0, minutes * 60, "chair")]


def calls_made(words: list[Word], turns: list[Turn]) -> int:
    count = 0

    def profile(frame: FrameType, event: str, argument: object) -> None:
        nonlocal count
        count += event in {"call", "c_call"}

    previous = sys.getprofile()
    sys.setprofile(profile)
    try:
        assign_speakers(words, turns)
    finally:
        sys.setprofile(previous)
    return count


def test_work_grows_with_the_length_of_the_audio_not_its_square():
    assert calls_made(*a_meeting(8)) < 4.4 * calls_made(*a_meeting(2))


def test_three_hours_of_meeting():
    words, turns = a_meeting(200)
    assigned = assign_speakers(words, turns)
    assert (len(words), len(turns)) == (36_000, 6_001)
    # the chair's turn has no end; whoever else talks does so for a reason
    assert [word.speaker for word in assigned[:14]] == ["S0"] * 6 + ["S1"] * 6 + ["S2"] * 2
    assert {word.speaker for word in assigned} == {"S0", "S1", "S2", "S3", "S4", "S5"}
    assert [word.overlap for word in assigned[:8]] == [True] * 8
    without_chair = assign_speakers(words, turns[:-1])
    assert [without_chair[i].speaker for i in (0, 6, 7, 35_999)] == ["S0", "S1", "S1", "S5"]
