"""How loud a recording is over time, for drawing it: decoded in passing, never as a whole in memory."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from common.audio.blocks import Block
from common.audio.limits import AudioLimits
from common.audio.read_pyav import pyav_blocks
from common.audio.read_soundfile import soundfile_blocks
from common.checks import Check, unchecked
from common.errors import UnreadableAudioError

FINEST_PER_SECOND = 50
MOST_PEAKS = 60_000
FULL_SCALE = 255


class Peaks(BaseModel):
    """The loudest sample of each stretch, 0 to 255 by its share of full scale; `duration` in seconds."""

    duration: float
    per_second: int
    peaks: list[int]


def peaks_of(path: Path, *, limits: AudioLimits, check: Check = unchecked) -> Peaks:
    """Return the peaks of the first audio track of a file, at most MOST_PEAKS of them.

    What `check` raises, which is called at every block, passes through. Raises UnreadableAudioError for what is not
    audio.
    """
    try:
        found, duration_s = _finest(soundfile_blocks(path, limits=limits), check)
    except UnreadableAudioError:
        found, duration_s = _finest(pyav_blocks(path), check)
    per_second = next(rate for rate in (50, 25, 10, 5, 2, 1) if duration_s * rate <= MOST_PEAKS or rate == 1)
    wide = FINEST_PER_SECOND // per_second
    padded = np.concatenate([found, np.zeros(-len(found) % wide, np.float32)]).reshape(-1, wide)
    loudest = np.clip(padded.max(axis=1, initial=0.0) * FULL_SCALE, 0, FULL_SCALE)
    return Peaks(duration=round(duration_s, 3), per_second=per_second, peaks=loudest.round().astype(int).tolist())


def _finest(blocks: Iterator[Block], check: Check) -> tuple[NDArray[np.float32], float]:
    """Return FINEST_PER_SECOND peaks for each second, and the seconds."""
    peaks, duration_s = np.zeros(1024, np.float32), 0.0
    for samples, rate_hz in blocks:
        check()
        loudness = np.abs(np.nan_to_num(samples)).max(axis=1, initial=0.0)
        at = ((duration_s + np.arange(len(loudness)) / rate_hz) * FINEST_PER_SECOND).astype(np.int64)
        duration_s += len(loudness) / rate_hz
        while len(at) and at[-1] >= len(peaks):
            peaks = np.concatenate([peaks, np.zeros_like(peaks)])
        np.maximum.at(peaks, at, loudness)
    return peaks[: int(np.ceil(duration_s * FINEST_PER_SECOND))], duration_s
