"""From the speech of each window's speakers to turns of the recording's: pyannote's aggregation, in little memory.

It follows pyannote.audio 4.0.7 (SpeakerDiarizationMixin.speaker_count, SpeakerDiarization.reconstruct, Binarize), which
needs (windows, frames, speakers) float64 arrays for it, and Python's time for each frame. Of those with as many votes
the first talks here, and any of them there.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handlers.diarization.activity import runs

Speech = NDArray[np.uint8]  # (windows, frames, speakers): 1 where a window's speaker talks
Labels = NDArray[np.int64]  # (windows, speakers): the recording's speaker that each is, below 0 for none
Votes = NDArray[np.int16]  # (frames, speakers of the recording)
SILENT = -2  # the label of a window's speaker who never talks
FRAMES_AT_ONCE = 50_000  # sorted in memory
Span = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Frames:
    """Frames of equal `duration` every `step`, in seconds; of pyannote's SlidingWindow what is used here."""

    start: float
    duration: float
    step: float

    def closest(self, time_s: float) -> int:
        """Return the frame whose middle is the closest."""
        return int(np.rint((time_s - self.start - 0.5 * self.duration) / self.step))


@dataclass(frozen=True, slots=True)
class FrameGrid:
    """Where the frames of overlapping windows lie in the recording."""

    frames: Frames
    starts: NDArray[np.int64]  # the first frame of each window
    total: int

    def middles(self, numbers: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the middles of frames, in seconds."""
        first = self.frames.start + 0.5 * self.frames.duration
        return np.asarray(first + numbers * self.frames.step, np.float64)


def lay_out(frames: Any, *, windows: int, window_s: float, hop_s: float) -> FrameGrid:  # noqa: ANN401
    """Lay windows of `window_s` seconds every `hop_s` seconds onto one grid of `frames`: `Frames`, or pyannote's."""
    half = 0.5 * frames.duration
    grid = Frames(start=0.0, duration=frames.duration, step=frames.step)  # as pyannote's aggregation has it
    starts = np.array([grid.closest(number * hop_s + half) for number in range(windows)], np.int64)
    return FrameGrid(grid, starts, grid.closest(window_s + (windows - 1) * hop_s + half) + 1)


def speakers_at_once(speech: Speech, grid: FrameGrid) -> NDArray[np.int64]:
    """Return for each frame how many people talk, by the mean over windows."""
    talking, windows = np.zeros(grid.total, np.float32), np.zeros(grid.total, np.float32)
    length = speech.shape[1]
    for start, counts in zip(grid.starts, speech.sum(axis=2), strict=True):
        talking[start : start + length] += counts
        windows[start : start + length] += 1
    return np.rint(talking / np.maximum(windows, 1)).astype(np.int64)


def votes(speech: Speech, labels: Labels, grid: FrameGrid) -> Votes:
    """Return for each frame and each of the recording's speakers how many windows hear them talk."""
    found = np.zeros((grid.total, int(labels.max(initial=0)) + 1), np.int16)
    length = speech.shape[1]
    for start, heard, names in zip(grid.starts, speech, labels, strict=True):
        for name in set(names[names >= 0].tolist()):
            found[start : start + length, name] += heard[:, names == name].max(axis=1)
    return found


def active(found: Votes, at_once: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return who talks in each frame: the `at_once` many with the most votes; beside the first, those who have any."""
    talks = np.zeros(found.shape, bool)
    for first in range(0, len(found), FRAMES_AT_ONCE):
        part = found[first : first + FRAMES_AT_ONCE]
        order = np.argsort(-part, axis=1, kind="stable")
        rank = np.empty_like(order)
        np.put_along_axis(rank, order, np.arange(part.shape[1])[None], axis=1)
        most = rank < at_once[first : first + FRAMES_AT_ONCE, None]
        talks[first : first + FRAMES_AT_ONCE] = most & ((part > 0) | (rank == 0))
    return talks


def spans(
    talking: NDArray[np.bool_], grid: FrameGrid, *, bridge_s: float = 0.0, others: NDArray[np.bool_] | None = None
) -> list[Span]:
    """Return the stretches, in seconds, of the frames in which one speaker talks.

    Pauses below `bridge_s` are in them, but for those in which one of the `others` talks.
    """
    if not talking.any():
        return []
    first, last = np.minimum(runs(talking).T, len(talking) - 1)
    starts, ends = grid.middles(first), grid.middles(last)
    bridged = starts[1:] - ends[:-1] < bridge_s
    if others is not None:
        heard = np.concatenate(([0], np.cumsum(others)))
        bridged &= heard[first[1:]] == heard[last[:-1]]
    found = zip(starts[~np.r_[False, bridged]].tolist(), ends[~np.r_[bridged, False]].tolist(), strict=True)
    return [(start, end) for start, end in found if start < end]
