from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from common.coverage import splice, uncovered, union, without
from common.timeline import Word

GRID = 8  # times are eighths of a second, exact in binary


def time_of(steps):
    return steps / GRID


times = st.integers(0, 80).map(time_of)
spans = st.tuples(times, times).map(lambda pair: (min(pair), max(pair)))
many_spans = st.lists(spans, max_size=8)


@st.composite
def any_words(draw):
    texts = draw(st.lists(st.sampled_from(["a", "A.", "b", "c", "?"]), max_size=10))
    return [Word(text, *draw(spans)) for text in texts]


ordered_words = any_words().map(lambda words: sorted(words, key=lambda word: word.start))


def steps_in(parts):
    return {step for start, end in parts for step in range(int(start * GRID), int(end * GRID))}


def is_ordered_and_disjoint(parts):
    return all(start < end for start, end in parts) and all(a[1] < b[0] for a, b in pairwise(parts))


@given(many_spans, many_spans)
def test_sets_of_spans_are_sets_of_moments(left, right):
    assert steps_in(union(left)) == steps_in(left)
    assert steps_in(without(left, right)) == steps_in(left) - steps_in(right)
    assert is_ordered_and_disjoint(union(left))
    assert is_ordered_and_disjoint(without(left, right))


@given(many_spans, any_words(), st.integers(0, 8).map(time_of), st.integers(0, 8).map(time_of))
def test_uncovered_is_the_speech_far_from_words(stretches, words, min_s, margin_s):
    found = uncovered(stretches, words, min_s=min_s, margin_s=margin_s)
    near = steps_in((max(0.0, word.start - margin_s), word.end + margin_s) for word in words)
    assert steps_in(found) <= steps_in(stretches) - near
    assert all(end - start >= min_s for start, end in found)
    assert is_ordered_and_disjoint(found)
    if not min_s:
        assert steps_in(found) == steps_in(stretches) - near


@given(many_spans, any_words(), any_words())
def test_more_words_never_uncover_more(stretches, words, more):
    before = uncovered(stretches, words, min_s=0.0, margin_s=0.25)
    assert steps_in(uncovered(stretches, [*words, *more], min_s=0.0, margin_s=0.25)) <= steps_in(before)


@given(any_words(), any_words(), spans)
def test_no_word_is_ever_lost_changed_or_reordered(words, found, hole):
    given_words = {id(word) for word in words}
    kept = [word for word in splice(words, found, span=hole) if id(word) in given_words]
    assert [id(word) for word in kept] == [id(word) for word in words]


@given(ordered_words, any_words(), spans)
def test_starts_never_go_back(words, found, hole):
    starts = [word.start for word in splice(words, found, span=hole)]
    assert starts == sorted(starts)


def unlike(words, name):
    return [Word(f"{name}{number}", word.start, word.end) for number, word in enumerate(words)]


@given(any_words(), any_words(), spans)
def test_only_words_of_the_hole_come_in_and_all_of_them_in_order(words, found, hole):
    spliced = splice(words, unlike(found, "new"), span=hole)
    inside = [word.text for word in unlike(found, "new") if hole[0] <= (word.start + word.end) / 2 < hole[1]]
    assert [word.text for word in spliced if word.text.startswith("new")] == inside


@given(ordered_words, st.lists(spans, max_size=4).map(union))
def test_a_hole_is_filled_with_exactly_what_was_cut_out_of_it(words, holes):
    whole = unlike(words, "word")
    for hole in holes:
        rest = [word for word in whole if not hole[0] <= (word.start + word.end) / 2 < hole[1]]
        filled = splice(rest, whole, span=hole)
        assert sorted(word.text for word in filled) == sorted(word.text for word in whole)
