"""The best path is the best of all paths."""

from itertools import pairwise, product

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from common.attribution.best_path import best_path


@st.composite
def talks(draw, most_words=7, most_speakers=3):
    """Evidence and costs in which ties, free changes and certain words are frequent."""
    words, speakers = draw(st.integers(1, most_words)), draw(st.integers(1, most_speakers))
    numbers = st.sampled_from([0, 0, 1, 2, 3, 7, 20])
    evidence = [[draw(numbers) for _ in range(speakers)] for _ in range(words)]
    return np.array(evidence, np.int64), np.array([draw(st.integers(0, 4)) for _ in range(words - 1)], np.int64)


def worth(path, evidence, costs):
    changes = [a != b for a, b in pairwise(path)]
    return sum(evidence[i][s] for i, s in enumerate(path)) - sum(
        cost for cost, one in zip(costs, changes, strict=True) if one
    )


@given(talks())
@example((np.array([[5, 0], [5, 0], [0, 5], [5, 0], [5, 0]], np.int64), np.array([4, 4, 4, 4], np.int64)))
def test_no_path_is_worth_more(talk):
    evidence, costs = talk
    words, speakers = evidence.shape
    path = best_path(evidence, costs).tolist()
    assert len(path) == words
    every = (worth(one, evidence, costs) for one in product(range(speakers), repeat=words))
    assert worth(path, evidence, costs) == max(every)


@given(talks(most_words=40), st.integers(1, 5))
def test_another_speaker_who_never_could_changes_nothing(talk, more):
    evidence, costs = talk
    strangers = np.full((len(evidence), more), -(10**9), np.int64)
    assert best_path(np.hstack([evidence, strangers]), costs).tolist() == best_path(evidence, costs).tolist()


@given(talks(most_words=40))
def test_what_is_free_to_change_is_decided_alone(talk):
    evidence, costs = talk
    path = best_path(np.concatenate([evidence, evidence]), np.concatenate([costs, [0], costs])).tolist()
    assert path == best_path(evidence, costs).tolist() * 2


def test_of_equal_paths_one_that_changes_early_is_taken():
    evidence = np.array([[5, 0], [3, 3], [0, 5]], np.int64)
    assert best_path(evidence, np.array([1, 1], np.int64)).tolist() == [0, 1, 1]
