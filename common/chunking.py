"""Cut long audio into windows at its quietest moments."""

import numpy as np
from numpy.typing import NDArray

from common.audio.limits import SAMPLE_RATE

FRAME_SAMPLES = SAMPLE_RATE // 20
SEARCH_S = 10.0


def plan_windows(
    samples: NDArray[np.float32], *, max_window_s: float, search_s: float = SEARCH_S
) -> tuple[tuple[int, int], ...]:
    """Return contiguous windows `(first, past_last)` in samples that cover all of mono 16 kHz `samples`.

    None is longer than `max_window_s`; each ends in the quietest 50 ms of its last `search_s` seconds (of its second
    half, if that is shorter), so that few words are cut in two.
    """
    bound = max(1, int(max_window_s * SAMPLE_RATE))
    search = min(int(search_s * SAMPLE_RATE), bound // 2)
    windows = []
    start = 0
    while len(samples) - start > bound:
        end = start + bound
        cut = end - search + _quietest(samples[end - search : end])
        windows.append((start, cut))
        start = cut
    if start < len(samples):
        windows.append((start, len(samples)))
    return tuple(windows)


def _quietest(stretch: NDArray[np.float32]) -> int:
    """Return the middle of the quietest frame, the last one of equals; the end if there is not one whole frame."""
    count = len(stretch) // FRAME_SAMPLES
    if count == 0:
        return len(stretch)
    first = len(stretch) - count * FRAME_SAMPLES
    frames = stretch[first:].reshape(count, FRAME_SAMPLES)
    energy = np.square(frames, dtype=np.float64).sum(axis=1)
    quietest = count - 1 - int(np.argmin(energy[::-1]))
    return first + quietest * FRAME_SAMPLES + FRAME_SAMPLES // 2
