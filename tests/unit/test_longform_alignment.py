"""The benchmark's alignment: as few errors as edit distance counts, and of equal ones the one that times speak for."""

import time

import kaldialign
import numpy as np
import pytest

from benchmarks.longform.alignment import align
from common.timeline import Word


def words(text, *, every_s=0.5, start_s=0.0):
    return [Word(one, start_s + n * every_s, start_s + n * every_s + 0.4) for n, one in enumerate(text.split())]


def shown(reference, hypothesis, *, max_shift_s=1.0):
    return [
        ("*" if i is None else reference[i].text, "*" if j is None else hypothesis[j].text)
        for i, j in align(reference, hypothesis, max_shift_s=max_shift_s)
    ]


def errors(reference, hypothesis, pairs):
    return sum(i is None or j is None or reference[i].text != hypothesis[j].text for i, j in pairs)


def test_equal_words_are_paired():
    assert shown(words("a b c"), words("a b c", start_s=0.1)) == [("a", "a"), ("b", "b"), ("c", "c")]


@pytest.mark.parametrize(("said", "heard"), [("", ""), ("", "a b"), ("a b", "")])
def test_nothing_said_or_heard(said, heard):
    expected = [(word, "*") for word in said.split()] + [("*", word) for word in heard.split()]
    assert shown(words(said), words(heard)) == expected


def test_of_two_equal_words_the_missing_one_is_told_by_its_time():
    said = words("yes yes no")
    assert shown(said, said[1:]) == [("yes", "*"), ("yes", "yes"), ("no", "no")]
    assert shown(said, [said[0], said[2]]) == [("yes", "yes"), ("yes", "*"), ("no", "no")]


def test_a_loss_and_an_addition_are_not_taken_for_two_substitutions():
    said = words("a b c d")
    heard = [said[0], said[2], Word("x", 1.3, 1.4), said[3]]
    assert shown(said, heard) == [("a", "a"), ("b", "*"), ("c", "c"), ("*", "x"), ("d", "d")]


def test_words_far_apart_are_no_pair():
    said, heard = [Word("yes", 5.0, 5.4)], [Word("yes", 7.0, 7.4)]
    assert sorted(shown(said, heard)) == [("*", "yes"), ("yes", "*")]
    assert shown(said, heard, max_shift_s=2.0) == [("yes", "yes")]


def test_words_invented_in_a_long_silence_are_all_additions():
    said = [Word("a", 0.0, 0.4), Word("b", 100.0, 100.4)]
    invented = words("x y z", start_s=40.0)
    assert shown(said, [said[0], *invented, said[1]]) == [("a", "a"), ("*", "x"), ("*", "y"), ("*", "z"), ("b", "b")]


def disturbed(said, rng, *, share):
    heard = []
    for word in said:
        chance = rng.random()
        if chance >= share / 3:
            text = str(rng.choice(list("abcdefgh"))) if chance < 2 * share / 3 else word.text
            heard.append(Word(text, word.start, word.end))
        if 2 * share / 3 <= chance < share:
            heard.append(Word("added", word.start + 0.2, word.end))
    return heard


@pytest.mark.parametrize("share", [0.05, 0.3, 0.9])
@pytest.mark.parametrize("seed", range(5))
def test_there_are_as_few_errors_as_by_edit_distance(seed, share):
    rng = np.random.default_rng(seed)
    said = words(" ".join(rng.choice(list("abcdefgh"), 60)))
    heard = disturbed(said, rng, share=share)
    pairs = align(said, heard, max_shift_s=100.0)
    assert [i for i, _ in pairs if i is not None] == list(range(len(said)))
    assert [j for _, j in pairs if j is not None] == list(range(len(heard)))
    distance = kaldialign.edit_distance([word.text for word in said], [word.text for word in heard])
    assert errors(said, heard, pairs) == distance["total"]


def test_hours_are_aligned_within_seconds_and_do_not_drift():
    rng = np.random.default_rng(0)
    said = words(" ".join(rng.choice(list("abcdefgh"), 20_000)))
    heard = disturbed(said, rng, share=0.1)
    start = time.perf_counter()
    pairs = align(said, heard, max_shift_s=1.0)
    assert time.perf_counter() - start < 10
    assert max(abs(said[i].start - heard[j].start) for i, j in pairs if None not in (i, j)) <= 1.0
