"""Windows that hear every word inside them, and half a word at each edge, give every word once."""

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from common.chunking import Window
from common.stitching import stitch
from common.timeline import Word

RATE = 16_000
JITTER_S = 0.04  # half an encoder frame


@st.composite
def spoken(draw):
    """Words of a few texts, so that many are said twice in a row, without a pause or with one."""
    words, time = [], draw(st.floats(0, 2))
    for _ in range(draw(st.integers(0, 25))):
        length = draw(st.floats(0.12, 0.9))
        words.append(Word(draw(st.sampled_from(["no", "yes", "well", "so"])), time, time + length, confidence=0.9))
        time += length + draw(st.sampled_from([0.0, 0.02, 0.1, 0.4, 1.5]))
    return words, time + draw(st.floats(0, 2))


@st.composite
def windows_over(draw, duration_s):
    context_s = draw(st.floats(1.0, 4.0))
    total = int(duration_s * RATE) + 1
    cuts, at = [0], 0
    while total - at > int(3 * context_s * RATE):
        at += int(draw(st.floats(context_s, 3 * context_s)) * RATE)
        cuts.append(min(at, total))
    cuts = [*dict.fromkeys([*cuts, total])]
    context = int(context_s * RATE)
    return [
        Window(first=max(0, first - context), last=min(total, last + context), core_first=first, core_last=last)
        for first, last in pairwise(cuts)
    ]


def heard_in(window, words, jitter):
    first, last = window.first / RATE, window.last / RATE
    for word in words:
        if first <= word.start and word.end <= last:
            shift = jitter.uniform(-JITTER_S, JITTER_S)
            yield Word(word.text, max(word.start + shift, 0.0), word.end + shift, confidence=jitter.uniform(0.3, 1))
        elif word.start < last and first < word.end:
            start, end = max(first, word.start), min(last, word.end)
            if end - start > 0.1:
                yield Word("half-" + word.text, start, end, confidence=jitter.uniform(0.3, 1))


@given(spoken(), st.data(), st.integers(0, 100))
def test_every_word_is_taken_once_in_order(speech, data, seed):
    words, duration_s = speech
    windows = data.draw(windows_over(duration_s))
    jitter = np.random.default_rng(seed)
    found = stitch(windows, [list(heard_in(window, words, jitter)) for window in windows])
    assert [word.text for word in found] == [word.text for word in words]
    assert all(abs(a.start - b.start) <= JITTER_S + 1e-9 for a, b in zip(found, words, strict=True))


@given(spoken())
def test_one_window_keeps_its_words(speech):
    words, duration_s = speech
    total = int(duration_s * RATE)
    assert stitch([Window(first=0, last=total, core_first=0, core_last=total)], [words]) == tuple(words)


def test_nothing_heard_is_nothing():
    assert stitch([], []) == ()
