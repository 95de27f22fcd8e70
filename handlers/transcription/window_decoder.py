"""What a decoder of windows is, whichever model it runs, and what comes of a window."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from common.audio.limits import SAMPLE_RATE
from common.chunking import Window
from common.coverage import Span
from common.timeline import Word

BatchT = TypeVar("BatchT")


class WindowDecoder(Protocol[BatchT]):
    """A loaded model; whatever its methods raise is taken for a fault of the windows given, not of the process."""

    def prepare(self, windows: Sequence[NDArray[np.float32]], /) -> BatchT:
        """Return the windows padded and on the device; called from one other thread, one batch ahead of `decode`."""
        ...

    def decode(self, batch: BatchT, ask: Callable[[], None], /) -> Sequence[tuple[Word, ...] | None]:
        """Return each window's words, with times (s) from its first sample; None where the output is not finite.

        `ask` is to be called often; what it raises must pass.
        """
        ...

    def expecting(self, phrases: Sequence[str], /) -> AbstractContextManager[None]:
        """Boost `phrases` inside this context; raises InvalidInputError where the model cannot."""
        ...

    def careful(self) -> AbstractContextManager[None]:
        """Compute in float32 inside this context."""
        ...

    def free_memory(self) -> None:
        """Give everything back that is not in use, garbage first: failed calls may leave tensors in cycles."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """One window's words and the stretches of its core that failed for good; seconds from the first of all samples."""

    words: tuple[Word, ...] = ()
    failed: tuple[Span, ...] = ()


def length(window: Window) -> int:
    """Return how many samples a window has."""
    return window.last - window.first


def seconds(window: Window) -> float:
    """Return how long a window is."""
    return length(window) / SAMPLE_RATE


def heard_in(window: Window, words: Sequence[Word]) -> Decoded:
    """Return the decoder's `words` of this window, on the time axis of all samples."""
    return Decoded(words=tuple(word.shifted(window.first / SAMPLE_RATE) for word in words))


def failed_in(window: Window) -> Decoded:
    """Return that the whole core of this window failed."""
    return Decoded(failed=((window.core_first / SAMPLE_RATE, window.core_last / SAMPLE_RATE),))
