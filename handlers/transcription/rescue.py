"""A window that fails in its batch: alone, then in float32, then in parts."""

from dataclasses import replace
from typing import Generic

import numpy as np
from numpy.typing import NDArray

from common.audio.limits import SAMPLE_RATE
from common.chunking import Window, plan_windows
from common.errors import EngineError
from common.stitching import stitch
from handlers.transcription.attempts import Attempts
from handlers.transcription.window_decoder import BatchT, Decoded, heard_in, seconds

PARTIAL_SETTING = "ON_WINDOW_FAILURE=partial"
SHORTEST_CUT_S = 5.0  # a window shorter than this is not cut
PART = 0.6  # of a window that is cut, at most, in each part: a half, and what the parts share


class Rescue(Generic[BatchT]):
    """Tries to save one window of `samples`; `partial` is whether it may fail."""

    def __init__(
        self, attempts: Attempts[BatchT], samples: NDArray[np.float32], window: Window, *, partial: bool
    ) -> None:
        self._attempts = attempts
        self._samples = samples
        self._window = window
        self._partial = partial

    def decoded(self) -> Decoded:
        """Return the window's words, and what of its core failed; raises EngineError if that must not be."""
        return self._alone(self._window, cut=True)

    def _alone(self, window: Window, *, cut: bool) -> Decoded:
        """Decode the window, or a part of it, by itself; `cut` is whether to cut it where the model fails."""
        for careful in (False, True):
            heard = self._attempts.decode([window], self._attempts.prepared([window]), careful=careful)
            if heard is None:
                return self._too_large(window, cut=cut)
            if heard[0] is not None:
                return heard_in(window, heard[0])
        if cut and seconds(window) >= SHORTEST_CUT_S:
            return self._in_parts(window, cut=False)
        return self._failed(window)

    def _too_large(self, window: Window, *, cut: bool) -> Decoded:
        self._attempts.make_room([window])
        if seconds(window) < SHORTEST_CUT_S and self._partial:
            return self._failed(window)
        if seconds(window) < SHORTEST_CUT_S:
            raise EngineError(
                f"the memory does not hold even {seconds(window):.1f} s of audio beside the model; free memory on the "
                "worker's device or choose a device with more"
            )
        return self._in_parts(window, cut=cut)

    def _in_parts(self, window: Window, *, cut: bool) -> Decoded:
        samples = self._samples[window.first : window.last]
        plan = plan_windows(samples, max_window_s=PART * seconds(window))
        parts = [_within(part.shifted(window.first), window) for part in plan]
        decoded = [self._alone(part, cut=cut) for part in parts]
        return Decoded(
            words=stitch(parts, [part.words for part in decoded]),
            failed=tuple(span for part in decoded for span in part.failed),
        )

    def _failed(self, part: Window) -> Decoded:
        first, last = part.core_first / SAMPLE_RATE, part.core_last / SAMPLE_RATE
        if first >= last:  # it is all context: another window's share
            return Decoded()
        if self._partial:
            return Decoded(failed=((first, last),))
        raise EngineError(
            f"the model fails on the audio from {first:.1f} to {last:.1f} s, even alone and in float32; send the job "
            f"again, or set {PARTIAL_SETTING} for a result without words there, which lists it in `coverage.failed`"
        )


def _within(part: Window, window: Window) -> Window:
    """Return a part of the window, its core cut to the window's."""
    core_first = min(max(part.core_first, window.core_first), window.core_last)
    core_last = max(min(part.core_last, window.core_last), core_first)
    return replace(part, core_first=core_first, core_last=core_last)
