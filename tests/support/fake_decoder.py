"""A decoder of windows without a model: hears "w7" from 7 to 7.5 s of `audio`, whichever window it is given."""

import itertools
import threading
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from common.audio.limits import SAMPLE_RATE
from common.chunking import Window
from common.timeline import Word

CLOCK_SAMPLES = 160  # the value of a sample says when it is, to 10 ms


class OutOfMemoryError(RuntimeError):
    """Named as torch's."""


def audio(seconds):
    return (np.arange(round(seconds * SAMPLE_RATE)) // CLOCK_SAMPLES).astype(np.float32)


def windows_of(*lengths_s, context_s=0.0):
    """Windows one after the other, and the audio under them."""
    edges = np.round(np.cumsum([0.0, *lengths_s]) * SAMPLE_RATE).astype(int).tolist()
    context = round(context_s * SAMPLE_RATE)
    windows = [
        Window(first=max(first - context, 0), last=min(last + context, edges[-1]), core_first=first, core_last=last)
        for first, last in itertools.pairwise(edges)
    ]
    return audio(edges[-1] / SAMPLE_RATE), windows


def texts(first_s, last_s):
    """The words spoken wholly in `[first_s, last_s)`."""
    return [f"w{second}" for second in range(int(np.ceil(first_s)), int(last_s + 1)) if second + 0.5 <= last_s]


@dataclass(frozen=True)
class Attempt:
    """What was decoded together: first and last second of each window."""

    spans: tuple[tuple[float, float], ...]
    careful: bool = False

    @property
    def alone(self):
        return len(self.spans) == 1

    @property
    def padded_s(self):
        return len(self.spans) * max(last - first for first, last in self.spans)

    def touches(self, time_s):
        return any(first <= time_s < last for first, last in self.spans)


class Batch(list):
    """Prepared windows; a list that can be referred to weakly."""


@dataclass
class FakeDecoder:
    """`fault(attempt)` may raise; `is_finite(attempt, span)` tells whether a window's output is."""

    limit_s: float = float("inf")
    fault: Callable[[Attempt], None] = lambda attempt: None
    is_finite: Callable[[Attempt, tuple[float, float]], bool] = lambda attempt, span: True
    on_prepare: Callable[[Batch], None] = lambda batch: None

    attempts: list[Attempt] = field(default_factory=list)
    threads: set[threading.Thread] = field(default_factory=set)
    freed: int = 0
    _careful: bool = False
    _preparing: int = 0

    def prepare(self, windows):
        self.threads.add(threading.current_thread())
        self._preparing += 1
        assert self._preparing == 1, "prepared by two threads at once"
        batch = Batch(windows)
        self.on_prepare(batch)
        self._preparing -= 1
        return batch

    def decode(self, batch, ask):
        attempt = Attempt(tuple(_span(window) for window in batch), self._careful)
        self.attempts.append(attempt)
        ask()
        if attempt.padded_s > self.limit_s:
            raise OutOfMemoryError("CUDA out of memory.")
        self.fault(attempt)
        ask()
        return [self._words(span) if self.is_finite(attempt, span) else None for span in attempt.spans]

    @contextmanager
    def careful(self):
        self._careful = True
        try:
            yield
        finally:
            self._careful = False

    def free_memory(self):
        assert not self._preparing
        self.freed += 1

    def _words(self, span):
        first, _ = span
        return tuple(
            Word(text, start=float(text[1:]) - first, end=float(text[1:]) - first + 0.5) for text in texts(*span)
        )


def _span(window):
    first = float(window[0]) * CLOCK_SAMPLES / SAMPLE_RATE
    return first, first + len(window) / SAMPLE_RATE
