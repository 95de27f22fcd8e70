"""What the long-form benchmark counts, with losses and doubles planted by hand."""

from dataclasses import replace

import pytest

from benchmarks.longform.scoring import seam_errors, start_errors_ms, total, word_errors
from common.timeline import Word

SAID = [Word(f"w{n % 7}", n * 0.5, n * 0.5 + 0.4) for n in range(200)]
SEAMS = [20.0, 50.0, 80.0]
UTTERANCES = [(0.0, 30.0), (30.0, 99.9)]


def measured(*, isolated=SAID, chunked=SAID, seams=SEAMS, utterances=UTTERANCES, windows=()):
    return seam_errors(SAID, isolated, chunked, seams, utterances=utterances, max_shift_s=1.0, windows=windows)


def without(index, words=SAID):
    return [word for word in words if word is not SAID[index]]


def with_added(*added):
    return sorted([*SAID, *added], key=lambda word: word.start)


def test_the_same_words_are_no_error():
    found = measured()
    assert (found.seams, found.lost, found.doubled, found.lost_elsewhere, found.doubled_elsewhere) == (3, (), (), 0, 0)


@pytest.mark.parametrize("index", [36, 40, 44])
def test_a_word_missing_near_a_seam_is_lost(index):
    found = measured(chunked=without(index))
    assert (found.lost, found.doubled, found.lost_elsewhere) == ((SAID[index],), (), 0)


@pytest.mark.parametrize("index", [35, 45, 0, 199])
def test_a_word_missing_farther_away_is_lost_elsewhere(index):
    found = measured(chunked=without(index))
    assert (found.lost, found.lost_elsewhere) == ((), 1)


def test_a_word_that_is_not_heard_alone_either_is_not_lost():
    assert measured(isolated=without(40), chunked=without(40)).lost == ()


def test_a_word_misheard_alone_is_not_lost():
    misheard = [replace(word, text="other") if word is SAID[40] else word for word in SAID]
    assert measured(isolated=misheard, chunked=without(40)).lost == ()


def test_a_misheard_word_is_not_lost():
    misheard = [replace(word, text="other") if word is SAID[40] else word for word in SAID]
    found = measured(chunked=misheard)
    assert (found.lost, found.doubled) == ((), ())


def test_a_word_heard_twice_near_a_seam_is_doubled():
    again = replace(SAID[40], start=SAID[40].start + 0.05)
    found = measured(chunked=with_added(again))
    assert [word.text for word in found.doubled] == [SAID[40].text]
    assert (found.lost, found.doubled_elsewhere) == ((), 0)


def test_a_word_heard_twice_elsewhere_is_counted_apart():
    found = measured(chunked=with_added(replace(SAID[70], start=35.05)))
    assert (found.doubled, found.doubled_elsewhere) == ((), 1)


def test_an_added_word_that_is_there_in_isolation_is_not_doubled():
    added = with_added(Word("what", 20.2, 20.3))
    assert measured(isolated=added, chunked=added).doubled == ()


@pytest.mark.parametrize("seams", [[], [101.0]])
def test_a_word_where_no_one_speaks_is_invented_by_whatever_seam(seams):
    found = measured(chunked=[*SAID, Word("what", 100.9, 101.1)], seams=seams)
    assert [word.text for word in found.invented] == ["what"]
    assert (found.doubled, found.doubled_elsewhere) == ((), 0)


def test_a_word_added_in_isolation_only_is_no_error_of_the_windows():
    found = measured(isolated=with_added(Word("what", 20.2, 20.3)))
    assert (found.lost, found.doubled) == ((), ())


@pytest.mark.parametrize(("heard_from", "blamed"), [(38, (SAID[40],)), (41, ())])
def test_a_seam_loses_only_what_a_window_heard(heard_from, blamed):
    found = measured(chunked=without(40), windows=[SAID[:40], SAID[heard_from:80]])
    assert (found.lost, found.lost_by_seam) == ((SAID[40],), blamed)


@pytest.mark.parametrize("is_of_the_model", [False, True])
def test_a_seam_doubles_only_what_no_window_heard_twice(is_of_the_model):
    again = replace(SAID[40], start=SAID[40].start + 0.2, end=SAID[40].end + 0.2)
    once = [again if word is SAID[40] else word for word in SAID[38:80]]
    twice = sorted([*SAID[38:80], again], key=lambda word: word.start)
    found = measured(chunked=with_added(again), windows=[SAID[:45], twice if is_of_the_model else once])
    assert found.doubled == (again,)
    assert found.doubled_by_seam == (() if is_of_the_model else (again,))


def test_losses_and_doubles_at_several_seams_are_all_found():
    chunked = [word for word in with_added(replace(SAID[160], start=80.05)) if word not in (SAID[39], SAID[101])]
    found = measured(chunked=chunked)
    assert found.lost == (SAID[39], SAID[101])
    assert [word.start for word in found.doubled] in ([80.0], [80.05])


def test_a_word_between_two_seams_is_lost_once():
    assert measured(chunked=without(40), seams=[19.5, 20.0, 20.5]).lost == (SAID[40],)


def test_many_lost_words_in_a_row_are_all_lost():
    found = measured(chunked=[*SAID[:37], *SAID[44:]])
    assert found.lost == tuple(SAID[37:44])


def test_times_of_lost_words_are_those_of_isolated_decoding():
    guessed = [replace(word, start=word.start + 3, end=word.end + 3) for word in SAID]
    found = seam_errors(guessed, SAID, without(40), SEAMS, utterances=UTTERANCES, max_shift_s=8.0)
    assert (found.lost, found.lost_elsewhere) == ((SAID[40],), 0)


def test_word_errors_are_those_of_edit_distance():
    found = word_errors(["a", "b", "c", "d"], ["a", "x", "c", "c"])
    assert (found.words, found.substitutions, found.deletions, found.insertions, found.wer) == (4, 2, 0, 0, 50.0)
    found = word_errors(["a", "b", "c", "d"], ["a", "c", "d", "e"])
    assert (found.deletions, found.insertions, found.wer) == (1, 1, 50.0)


def test_start_errors_are_those_of_right_words():
    heard = [replace(word, start=word.start + 0.02, end=word.end + 0.02) for word in SAID]
    heard[10] = replace(heard[10], text="other", start=5.4)
    heard[-20:] = [replace(word, start=word.start + 0.08, end=word.end + 0.08) for word in heard[-20:]]
    assert start_errors_ms(SAID, heard, max_shift_s=1.0) == (20.0, 100.0)
    assert start_errors_ms(SAID, [], max_shift_s=1.0) is None


def test_bounds_add_up():
    found = total([measured(chunked=without(40)), measured(chunked=without(0), seams=[10.0])])
    assert (found.seams, found.lost, found.lost_elsewhere) == (4, (SAID[40],), 1)
