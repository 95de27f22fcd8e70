"""Windows over any audio: their cores are all of it, once, and each is decoded with real audio around its core."""

import itertools

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from common.chunking import Window, plan_windows

RATE = 16_000
HOURS_10 = 10 * 3600 * RATE

contexts = st.floats(min_value=0, max_value=30)


def silence(samples):
    """Silence of any length, which takes no memory."""
    return np.broadcast_to(np.float32(0), samples)


@st.composite
def audio(draw):
    seconds = draw(st.floats(min_value=0, max_value=20))
    generator = np.random.default_rng(draw(st.integers(0, 100)))
    loud = np.repeat(generator.random(int(seconds * 4) + 1), RATE // 4)[: int(seconds * RATE)]
    return (loud * generator.standard_normal(len(loud))).astype(np.float32)


def check(windows, *, total, bound, context):
    """Assert all that must hold for windows of at most `bound` samples over `total` samples."""
    context = min(context, bound // 4)
    assert [window.core_first for window in windows] == [0, *(window.core_last for window in windows)][:-1]
    assert windows[-1].core_last == total if total else windows == ()
    for window in windows:
        assert 0 <= window.first <= window.core_first < window.core_last <= window.last <= total
        assert window.last - window.first <= bound
    for left, right in itertools.pairwise(windows):
        assert left.last - left.core_last >= context
        assert right.core_first - right.first >= context
        assert left.first <= right.first
    if windows:
        assert windows[-1].last - windows[-1].first == min(bound, total)
        assert len(windows) <= 2 + total // max(1, bound // 4)


@given(audio(), st.floats(min_value=0.0001, max_value=30), contexts)
def test_cores_tile_the_audio_and_windows_keep_the_bound(samples, max_window_s, context_s):
    samples = samples[: int(2000 * max_window_s * RATE)]
    windows = plan_windows(samples, max_window_s=max_window_s, context_s=context_s)
    bound = max(1, int(max_window_s * RATE))
    check(windows, total=len(samples), bound=bound, context=int(context_s * RATE))


@settings(max_examples=8)
@given(st.integers(0, HOURS_10), st.floats(min_value=5, max_value=600), contexts)
@example(HOURS_10, 5.0, 4.0)
@example(HOURS_10, 30.0, 4.0)
def test_hours_are_tiled_as_minutes_are(total, max_window_s, context_s):
    windows = plan_windows(silence(total), max_window_s=max_window_s, context_s=context_s)
    check(windows, total=total, bound=int(max_window_s * RATE), context=int(context_s * RATE))


@given(st.integers(1, 200), st.integers(1, 12), st.integers(0, 12))
def test_windows_of_a_few_samples_are_windows_too(total, bound, context):
    windows = plan_windows(silence(total), max_window_s=(bound + 0.5) / RATE, context_s=(context + 0.5) / RATE)
    check(windows, total=total, bound=bound, context=context)


@given(st.integers(min_value=0, max_value=15 * RATE), contexts)
def test_audio_within_the_bound_is_one_window(total, context_s):
    windows = plan_windows(silence(total), max_window_s=15, context_s=context_s)
    assert windows == ((Window(first=0, last=total, core_first=0, core_last=total),) if total else ())


@settings(max_examples=30)
@given(st.floats(min_value=16.2, max_value=25.2), st.floats(min_value=0.4, max_value=0.7), st.integers(0, 1000))
def test_the_cut_lies_in_the_middle_of_the_pause(start_s, length_s, seed):
    samples = np.random.default_rng(seed).standard_normal(35 * RATE).astype(np.float32)
    samples[int(start_s * RATE) : int((start_s + length_s) * RATE)] *= 0.01
    first, *_ = plan_windows(samples, max_window_s=30, context_s=4)
    assert first.core_last / RATE == pytest.approx(start_s + length_s / 2, abs=0.05)


def test_the_longest_of_several_pauses_is_cut_and_of_equal_ones_the_last():
    def first_cut(*pauses):
        samples = np.random.default_rng(0).standard_normal(60 * RATE).astype(np.float32)
        for start, end in pauses:
            samples[int(start * RATE) : int(end * RATE)] = 0
        return plan_windows(samples, max_window_s=30, context_s=4)[0].core_last / RATE

    assert first_cut((17, 17.5), (20, 21.2), (24, 24.6)) == pytest.approx(20.6, abs=0.03)
    assert first_cut((17, 17.6), (20, 20.6), (24, 24.6)) == pytest.approx(24.3, abs=0.03)
    assert first_cut((5, 9), (17, 17.5)) == pytest.approx(17.25, abs=0.03)  # not the one far from the end


def test_the_closure_of_a_plosive_is_no_pause():
    samples = np.random.default_rng(0).standard_normal(60 * RATE).astype(np.float32)
    samples[int(18 * RATE) : int(18.06 * RATE)] = 0
    samples[int(22 * RATE) : int(22.5 * RATE)] *= 0.03
    assert plan_windows(samples, max_window_s=30, context_s=4)[0].core_last / RATE == pytest.approx(22.25, abs=0.05)


def test_in_silence_cores_are_as_regular_as_the_search_allows():
    windows = plan_windows(silence(60 * RATE), max_window_s=30, context_s=4)
    assert [tuple(edge / RATE for edge in (one.first, one.core_first, one.core_last, one.last)) for one in windows] == [
        (0.0, 0.0, 21.0, 25.0),
        (17.0, 21.0, 38.0, 42.0),
        (30.0, 38.0, 60.0, 60.0),
    ]


def test_a_shifted_window_is_the_same_later():
    window = Window(first=1, last=9, core_first=2, core_last=7)
    assert window.shifted(10) == Window(first=11, last=19, core_first=12, core_last=17)
