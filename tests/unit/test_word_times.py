"""Words that models place in noise or stretch into pauses, against where the detector heard speech."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.timeline import Word
from handlers.transcription.words import MAX_WORD_S, clamped, spoken, trimmed


def timed(words):
    return [(word.text, round(word.start, 3), round(word.end, 3)) for word in words]


def said(*spans):
    return tuple(Word(f"w{number}", *span, confidence=0.5) for number, span in enumerate(spans))


@pytest.mark.parametrize(
    ("start", "end", "kept"),
    [
        (10.0, 11.0, True),
        (8.0, 8.9, False),
        (8.0, 9.0, True),  # ends 1 s before the speech
        (13.0, 14.0, True),  # starts 1 s after it
        (13.1, 14.0, False),
        (5.0, 30.0, True),  # all over it
        (17.0, 17.0, False),
        (20.5, 20.6, True),
        (40.0, 41.0, False),
    ],
)
def test_words_far_from_any_possible_speech_are_invented(start, end, kept):
    words = said((start, end))
    assert spoken(words, [(10.0, 12.0), (20.0, 21.0), (30.0, 31.0)]) == (words if kept else ())


def test_without_any_possible_speech_all_words_are_invented():
    assert spoken(said((0.0, 1.0), (5.0, 6.0)), []) == ()


@pytest.mark.parametrize(("confidence", "kept"), [(0.95, True), (0.9, True), (0.89, False), (None, False)])
def test_words_that_the_model_is_sure_of_are_kept_wherever_they_are(confidence, kept):
    word = Word("yes", 50.0, 50.4, confidence=confidence)
    assert spoken([word], [(0.0, 10.0)]) == ((word,) if kept else ())


def test_words_that_are_kept_stay_as_and_where_they_are():
    words = said((1.0, 2.0), (50.0, 51.0), (9.0, 9.5))
    assert spoken(iter(words), [(0.0, 10.0)]) == (words[0], words[2])


def test_a_word_that_reaches_into_the_pause_after_it_ends_with_the_speech():
    words = said((1.0, 1.4), (1.4, 3.9), (6.0, 6.5))
    assert timed(trimmed(words, [(0.9, 2.0), (6.0, 7.0)])) == [("w0", 1.0, 1.4), ("w1", 1.4, 2.1), ("w2", 6.0, 6.5)]


def test_a_word_that_begins_in_the_pause_before_it_starts_with_the_speech():
    words = said((1.0, 1.4), (1.4, 6.5), (6.5, 7.0))
    assert timed(trimmed(words, [(0.9, 1.5), (6.0, 7.0)])) == [("w0", 1.0, 1.4), ("w1", 5.9, 6.5), ("w2", 6.5, 7.0)]


def test_a_word_never_moves_past_the_next_one():
    words = said((1.0, 6.5), (2.0, 6.8))
    assert timed(trimmed(words, [(6.0, 7.0)])) == [("w0", 2.0, 5.0), ("w1", 5.9, 6.8)]


def test_a_word_over_two_stretches_is_cut_to_the_one_that_it_is_mostly_in():
    speech = [(0.0, 2.0), (4.0, 6.0)]
    assert timed(trimmed(said((1.8, 5.0)), speech)) == [("w0", 3.9, 5.0)]
    assert timed(trimmed(said((1.0, 4.1)), speech)) == [("w0", 1.0, 2.1)]


@pytest.mark.parametrize("word", [(0.8, 2.2), (3.2, 3.8), (5.75, 6.25)])
def test_a_little_outside_of_the_speech_and_wholly_outside_is_left_alone(word):
    assert timed(trimmed(said(word), [(1.0, 2.0), (6.0, 6.0)])) == [("w0", *word)]


def test_words_without_length_get_a_little_as_far_as_there_is_room():
    words = said((1.0, 1.0), (1.02, 1.02), (1.5, 1.5), (1.5, 1.9))
    assert timed(trimmed(words, [])) == [("w0", 1.0, 1.02), ("w1", 1.02, 1.06), ("w2", 1.5, 1.5), ("w3", 1.5, 1.9)]


def test_no_word_is_absurdly_long():
    assert timed(trimmed(said((1.0, 30.0)), [(0.0, 60.0)])) == [("w0", 1.0, 4.0)]


def test_what_else_is_known_of_a_word_stays():
    (word,) = trimmed([Word("a", 0.0, 9.0, confidence=0.3, space_before=False)], [(4.0, 5.0)])
    assert word == Word("a", 3.9, 5.1, confidence=0.3, space_before=False)


def test_no_words_are_none():
    assert trimmed([], [(0.0, 1.0)]) == spoken([], [(0.0, 1.0)]) == ()


times = st.floats(min_value=0, max_value=50)
edges = st.lists(times, unique=True, max_size=12).map(sorted)


@given(st.lists(st.builds(lambda start, length: Word("a", start, start + length), times, times)), edges)
def test_trimmed_words_are_as_many_in_order_and_none_starts_before_it_did(found, edges):
    speech = list(zip(edges[::2], edges[1::2], strict=False))
    words = clamped(found, duration_s=60.0)
    result = trimmed(words, speech)
    assert [word.text for word in result] == [word.text for word in words]
    assert all(a.start <= b.start for a, b in itertools.pairwise(result))
    assert all(word.start >= before.start for word, before in zip(result, words, strict=True))
    assert all(0 <= word.end - word.start <= MAX_WORD_S + 1e-9 for word in result)


@given(st.lists(st.builds(lambda start, length: Word("a", start, start + length), times, times)), edges)
def test_words_in_possible_speech_are_always_kept(found, edges):
    possible = list(zip(edges[::2], edges[1::2], strict=False))
    kept = spoken(found, possible)
    near = [any(start <= word.end + 1 and word.start - 1 <= end for start, end in possible) for word in found]
    assert kept == tuple(word for word, is_near in zip(found, near, strict=True) if is_near)
