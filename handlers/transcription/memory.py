"""How much audio fits into one batch: measured on a GPU, a plain bound elsewhere, less after it was too much."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from common.audio.limits import SAMPLE_RATE
from handlers.faults import is_out_of_memory

MAX_WINDOWS = 64  # fills any GPU; more only delays progress and cancelling
PROBE_S = 10.0
USABLE = 0.7  # of the free memory: the rest is for fragments and for other processes that grow meanwhile
GROWTH = 1.25  # per clean call, so that about three of them make up for one halving
MIN_SHARE = 1 / 8  # to start with, however bad it was: trying costs less than many small batches
# Parakeet 0.6b's encoder takes 7 MB per second of audio on a CPU, and the same CPU time in batches of 1, 2 and 4 (four
# layers of its size with random weights, windows of 30 s, 2 cores): only short windows share a batch.
CPU_BATCH_S = 30.0


class CudaMemory(Protocol):
    """The functions of `torch.cuda` that are used here; bytes."""

    def memory_allocated(self) -> int: ...  # noqa: D102 - torch's own
    def memory_reserved(self) -> int: ...  # noqa: D102
    def max_memory_allocated(self) -> int: ...  # noqa: D102
    def reset_peak_memory_stats(self) -> None: ...  # noqa: D102
    def empty_cache(self) -> None: ...  # noqa: D102
    def mem_get_info(self) -> tuple[int, int]: ...  # noqa: D102


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What one window of L seconds costs: `per_s` · L + `per_s2` · L², the square for the encoder's attention."""

    per_s: float
    per_s2: float = 0.0

    def of(self, seconds: float) -> float:
        """Return the cost of one window, padding included."""
        return self.per_s * seconds + self.per_s2 * seconds**2


class DecoderMemory:
    """How much one batch may cost; lives as long as the engine and learns from what did not fit.

    `available` is asked at each start, for other processes may share the GPU. What did not fit is halved and stays
    so for later calls; it grows back by a quarter per call without a fault, because most shortages pass.
    """

    def __init__(self, cost: Cost, available: Callable[[], float], *, max_windows: int = MAX_WINDOWS) -> None:
        self.cost = cost
        self._available = available
        self._max_windows = max_windows
        self._share = 1.0
        self._shrunk = False
        self.capacity = available()

    def start(self) -> None:
        """Look how much there is now."""
        grown = self._share if self._shrunk else self._share * GROWTH
        self._share = min(max(grown, MIN_SHARE), 1.0)
        self._shrunk = False
        self.capacity = self._available() * self._share

    def fits(self, count: int, *, longest_s: float) -> bool:
        """Tell whether `count` windows padded to `longest_s` fit into one batch."""
        return count <= self._max_windows and count * self.cost.of(longest_s) <= self.capacity

    def shrink(self, count: int, *, longest_s: float) -> None:
        """Allow from now on at most half of this batch, which did not fit, and half of what was allowed."""
        smaller = min(self.capacity, count * self.cost.of(longest_s)) / 2
        self._share *= smaller / self.capacity if self.capacity > 0 else 1.0
        self._shrunk = True
        self.capacity = smaller


def plain_memory(*, batch_s: float = CPU_BATCH_S) -> DecoderMemory:
    """Return a bound of `batch_s` seconds of audio in a batch, for devices that are not measured."""
    return DecoderMemory(Cost(per_s=1.0), lambda: batch_s)


def measured_memory(
    decode: Callable[[NDArray[np.float32]], object], *, longest_s: float, cuda: CudaMemory
) -> DecoderMemory:
    """Return what fits on the GPU, by decoding noise: a short window and one of `longest_s`, the longest in use.

    `decode` decodes one window, `cuda` is `torch.cuda`. Raises what `decode` raises if not even the short one fits.
    """
    noise = np.random.default_rng(0).normal(0.0, 0.1, round(max(longest_s, PROBE_S) * SAMPLE_RATE)).astype(np.float32)

    def peak(seconds: float) -> int:
        before = cuda.memory_allocated()
        cuda.reset_peak_memory_stats()
        decode(noise[: round(seconds * SAMPLE_RATE)])
        return cuda.max_memory_allocated() - before

    peak(PROBE_S)  # the first run also allocates what stays
    short = peak(PROBE_S) / PROBE_S
    long_s, long = _longest_that_fits(peak, max(longest_s, PROBE_S), cuda)
    return DecoderMemory(_fitted(short, long, long_s), lambda: USABLE * _free_bytes(cuda))


def _longest_that_fits(peak: Callable[[float], int], seconds: float, cuda: CudaMemory) -> tuple[float, float]:
    """Return the longest probe, halved until it fits, and its bytes per second."""
    while seconds > PROBE_S:
        try:
            return seconds, peak(seconds) / seconds
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
        cuda.empty_cache()  # outside of the handler, whose error keeps the tensors
        seconds /= 2
    return PROBE_S, peak(PROBE_S) / PROBE_S


def _fitted(short: float, long: float, long_s: float) -> Cost:
    """Return a cost that is exact at `long_s` and rather too high below, from bytes per second of both probes.

    The peak is that of the greediest phase: linear in the window's length for convolutions, quadratic for attention.
    Bytes per second are therefore convex in the length and lie below the straight line from `short` at length 0 to
    `long` at `long_s`; a fit through shorter windows would miss the attention altogether.
    """
    return Cost(per_s=short, per_s2=max(0.0, long - short) / long_s)


def _free_bytes(cuda: CudaMemory) -> int:
    """Return what this process can still have: the GPU's free memory, and what torch keeps of it without using it."""
    return cuda.mem_get_info()[0] + cuda.memory_reserved() - cuda.memory_allocated()
