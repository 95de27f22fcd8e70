"""The demo's cpWER is meeteval's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.demo_score import cp_word_error_rate
from tests.support.optional import needed

cp = needed("meeteval.wer.wer.cp")

WORDS = st.lists(st.sampled_from("abcde"), max_size=6).map(" ".join)
TEXTS = st.dictionaries(st.sampled_from("XYZ"), WORDS, min_size=1)


@given(TEXTS.filter(lambda texts: any(texts.values())), TEXTS)
def test_meeteval_counts_the_same(reference, hypothesis):
    rate = cp.cp_word_error_rate(reference, hypothesis, reference_sort=False, hypothesis_sort=False)
    assert cp_word_error_rate(reference, hypothesis) == pytest.approx(rate.error_rate)
