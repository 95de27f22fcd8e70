"""Plan the windows in which long audio is decoded: cut at pauses, each with real audio around its own share."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from common.audio.limits import SAMPLE_RATE
from common.loudness import FRAME_SAMPLES, frame_levels, runs, smoothed

CONTEXT_S = 4.0  # heard on both sides of a window's own share
SEARCH_S = 10.0  # of a share's end, in which the best pause is looked for
PAUSE_DB = 3.0  # what is this little above the quietest moment is as much of a pause


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A stretch to decode, in samples, half-open; its core is its own share of the audio, the rest is context."""

    first: int
    last: int
    core_first: int
    core_last: int

    def shifted(self, offset: int) -> "Window":
        """Return the window `offset` samples later."""
        return Window(
            first=self.first + offset,
            last=self.last + offset,
            core_first=self.core_first + offset,
            core_last=self.core_last + offset,
        )


def plan_windows(
    samples: NDArray[np.float32], *, max_window_s: float, context_s: float = CONTEXT_S
) -> tuple[Window, ...]:
    """Return windows over mono 16 kHz `samples` whose cores tile them in order, without gap or overlap.

    No window, context included, is longer than `max_window_s`. A core ends in the middle of the longest pause of
    its last seconds. The context is `context_s` on both sides, a quarter of short windows, less at the ends of the
    audio; the last window reaches back for as much real audio as fits into it.
    """
    total = len(samples)
    bound = max(1, int(max_window_s * SAMPLE_RATE))
    if total <= bound:
        return (Window(first=0, last=total, core_first=0, core_last=total),) if total else ()
    context = min(int(context_s * SAMPLE_RATE), bound // 4)
    cuts = _cuts(smoothed(frame_levels(samples)), total=total, bound=bound, context=context)
    cores = zip([0, *cuts], [*cuts, total], strict=True)
    return tuple(_window(*core, total=total, bound=bound, context=context) for core in cores)


def _window(core_first: int, core_last: int, *, total: int, bound: int, context: int) -> Window:
    last = min(core_last + context, total)
    first = last - bound if last == total else core_first - context
    return Window(first=max(first, 0), last=last, core_first=core_first, core_last=core_last)


def _cuts(levels: NDArray[np.float32], *, total: int, bound: int, context: int) -> list[int]:
    """Return where one core ends and the next begins, so that the last one ends with the audio."""
    cuts: list[int] = []
    start = 0
    while True:
        longest = bound - context if start == 0 else bound - 2 * context
        if total - start <= longest + context:  # the rest, with no context behind it, fits into one window
            return cuts
        search = min(int(SEARCH_S * SAMPLE_RATE), longest // 2)
        end = start + longest
        start = _pause(levels, end - search, end)
        cuts.append(start)


def _pause(levels: NDArray[np.float32], first: int, last: int) -> int:
    """Return the sample in the middle of the longest quiet run in `[first, last)`, of the later one of equals."""
    offset = -(-first // FRAME_SAMPLES)
    stretch = levels[offset : last // FRAME_SAMPLES]
    if not len(stretch):
        return last
    quiet = stretch <= stretch.min() + PAUSE_DB
    start, end = max(runs(quiet), key=lambda run: (run[1] - run[0], run[0]))
    return (2 * offset + start + end) * FRAME_SAMPLES // 2
