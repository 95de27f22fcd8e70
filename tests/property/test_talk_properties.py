"""Talk as arrays says what looking at every turn would say."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from common.attribution.talk import SILENT, microseconds, talk_by_speaker
from common.timeline import Turn

spans = st.tuples(st.integers(0, 40), st.integers(0, 40)).map(sorted)


@given(st.lists(spans, min_size=1, max_size=8), st.lists(spans, max_size=8))
def test_talk_within_a_stretch_and_how_far_it_is(turns, stretches):
    talk = talk_by_speaker([Turn(*turn, "A") for turn in turns])["A"]
    talking = {second for start, end in turns for second in range(start, end)}
    firsts, lasts = (microseconds(stretch[side] for stretch in stretches) for side in (0, 1))
    expected = [len(talking & set(range(*stretch))) for stretch in stretches]
    assert (talk.within(firsts, lasts) / 1e6).tolist() == expected
    nearest = [min(max(0, first - end, start - last) for start, end in turns) for first, last in stretches]
    assert (talk.distance(firsts, lasts) / 1e6).tolist() == nearest


@given(st.lists(st.tuples(spans, st.sampled_from("ABC")), max_size=10))
def test_stretches_are_disjoint_and_speakers_in_the_order_they_begin(turns):
    talks = talk_by_speaker([Turn(*span, label) for span, label in turns])
    assert set(talks) == {label for _, label in turns}
    for talk in talks.values():
        assert (talk.starts <= talk.ends).all()
        assert (talk.starts[1:] > talk.ends[:-1]).all()
    beginnings = [(talk.starts[0], talk.ends[0]) for talk in talks.values()]
    assert beginnings == sorted(beginnings)


def test_nobody_talks():
    everywhere = np.array([0, 5]), np.array([5, 9])
    assert SILENT.within(*everywhere).tolist() == [0, 0]
    assert (SILENT.distance(*everywhere) > 10**15).all()
