"""How loud the audio is, frame by frame."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.audio.limits import SAMPLE_RATE

FRAME_SAMPLES = SAMPLE_RATE // 50
FRAME_S = FRAME_SAMPLES / SAMPLE_RATE
QUIETEST_DB = -100.0
SMOOTHED_FRAMES = 15  # 0.3 s: longer than the closure of a plosive, which is no pause


def frame_levels(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the level in dB (full scale is 0) of every 20 ms of mono 16 kHz `samples`, a shorter rest left out."""
    count = len(samples) // FRAME_SAMPLES
    frames = samples[: count * FRAME_SAMPLES].reshape(count, FRAME_SAMPLES)
    power = np.einsum("ij,ij->i", frames, frames) / FRAME_SAMPLES
    return _decibels(power)


def smoothed(levels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the levels of the mean power in the 0.3 s around each frame; same length."""
    if not len(levels):
        return levels
    before = SMOOTHED_FRAMES // 2
    power = np.pad(10 ** (levels.astype(np.float64) / 10), (before + 1, before), mode="edge")
    power[0] = 0.0
    total = np.cumsum(power)
    mean = (total[SMOOTHED_FRAMES:] - total[:-SMOOTHED_FRAMES]) / SMOOTHED_FRAMES
    return _decibels(mean)


def runs(flags: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return where `flags` are true without a break, as frames `[first, past_last)`."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], flags, [False]))))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def _decibels(power: NDArray[Any]) -> NDArray[np.float32]:
    return np.asarray(10 * np.log10(np.maximum(power, 10 ** (QUIETEST_DB / 10))), np.float32)
