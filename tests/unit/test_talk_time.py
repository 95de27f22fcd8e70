import pytest

from common.talk_time import talk_time
from common.timeline import Turn


def summed(*turns):
    found = talk_time(Turn(*turn) for turn in turns)
    return found.speech_s, found.overlap_s


def test_nobody_talks():
    assert summed() == ({}, 0.0)


def test_overlap_counts_once_however_many_talk():
    turns = [(0, 4, "B"), (1, 3, "A"), (2, 5, "C"), (7, 8, "A")]
    assert summed(*turns) == ({"A": 3.0, "B": 4.0, "C": 3.0}, 3.0)


def test_what_one_speakers_turns_share_counts_once_and_is_no_overlap():
    assert summed((0, 2, "A"), (1, 3, "A"), (1.5, 1.75, "A")) == ({"A": 3.0}, 0.0)


def test_turns_that_touch_do_not_overlap():
    assert summed((0, 1, "A"), (1, 2, "B"), (2, 2, "C")) == ({"A": 1.0, "B": 1.0, "C": 0.0}, 0.0)


@pytest.mark.parametrize("turns", [10, 10_000])
def test_times_are_whole_milliseconds_however_many_turns(turns):
    spoken = [(0.1 * n, 0.1 * n + 0.05004, "AB"[n % 2]) for n in range(turns)]
    beside = [(0.1 * n + 0.04996, 0.1 * n + 0.07, "C") for n in range(turns)]
    speech_s, overlap_s = summed(*spoken, *beside)
    each = turns * 25 / 1000
    assert (speech_s, overlap_s) == ({"A": each, "B": each, "C": turns * 20 / 1000}, 0.0)
