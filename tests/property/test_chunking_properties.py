import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from common.chunking import plan_windows

RATE = 16_000


@st.composite
def audio(draw):
    seconds = draw(st.floats(min_value=0, max_value=20))
    generator = np.random.default_rng(draw(st.integers(0, 100)))
    loud = np.repeat(generator.random(int(seconds * 4) + 1), RATE // 4)[: int(seconds * RATE)]
    return (loud * generator.standard_normal(len(loud))).astype(np.float32)


@given(audio(), st.floats(min_value=0.0001, max_value=30), st.floats(min_value=0, max_value=30))
def test_windows_are_contiguous_cover_everything_and_keep_the_bound(samples, max_window_s, search_s):
    if len(samples) > 2000 * max_window_s * RATE:
        samples = samples[: int(2000 * max_window_s * RATE)]
    windows = plan_windows(samples, max_window_s=max_window_s, search_s=search_s)
    edges = [0, *(last for _, last in windows)]
    assert [first for first, _ in windows] == edges[:-1]
    assert edges[-1] == len(samples)
    assert all(0 < last - first <= max(1, int(max_window_s * RATE)) for first, last in windows)


@given(st.integers(min_value=0, max_value=15 * RATE))
def test_audio_within_the_bound_is_one_window(length):
    windows = plan_windows(np.zeros(length, np.float32), max_window_s=15)
    assert windows == (((0, length),) if length else ())


@given(st.floats(min_value=5.1, max_value=9.8))
def test_the_cut_lies_in_the_pause(pause_s):
    samples = np.random.default_rng(0).standard_normal(18 * RATE).astype(np.float32)
    samples[int(pause_s * RATE) : int((pause_s + 0.15) * RATE)] = 0
    (_, cut), *_ = plan_windows(samples, max_window_s=10, search_s=5)
    assert pause_s <= cut / RATE <= pause_s + 0.15


def test_in_silence_windows_are_as_long_as_allowed():
    windows = plan_windows(np.zeros(25 * RATE, np.float32), max_window_s=10)
    assert [last / RATE for _, last in windows] == [9.975, 19.95, 25.0]
