"""A decoder of windows that loses words, and long audio through it: hears "w7" from 3.5 to 3.9 s, and so on."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from common.audio.limits import SAMPLE_RATE
from common.chunking import Window
from common.errors import EngineError
from common.timeline import Word
from handlers.transcription.long_form import LongForm
from handlers.transcription.window_decoder import Decoded, failed_in, heard_in, seconds

DURATION_S = 100.0
SPOKEN = tuple(Word(f"w{n}", n / 2, n / 2 + 0.4, confidence=0.9) for n in range(round(2 * DURATION_S)))


@dataclass
class LossyDecoder:
    """Hears the words spoken wholly inside of a window unless `misses(window, start_s)`; notes what it was asked."""

    spoken: tuple[Word, ...] = SPOKEN
    misses: Callable[[Window, float], bool] = lambda window, start_s: False
    fails: Callable[[Window], bool] = lambda window: False

    rounds: list[list[tuple[float, float]]] = field(default_factory=list)
    partials: list[bool] = field(default_factory=list)

    def __call__(self, samples, windows, *, partial, tick):
        self.rounds.append([(window.first / SAMPLE_RATE, window.last / SAMPLE_RATE) for window in windows])
        self.partials.append(partial)
        for number, _ in enumerate(windows):
            tick("transcription", number / len(windows))
        tick("transcription", 1.0)
        return [self._decoded(window, partial) for window in windows]

    def _decoded(self, window, partial):
        if self.fails(window):
            if not partial:
                raise EngineError("the model fails")
            return failed_in(window)
        first, last = window.first / SAMPLE_RATE, window.last / SAMPLE_RATE
        inside = [word for word in self.spoken if first <= word.start and word.end <= last]
        found = [word.shifted(-first) for word in inside if not self.misses(window, word.start)]
        return heard_in(window, found) if found else Decoded()


def ignore(stage, fraction):
    pass


def heard(decoder, *, duration_s=DURATION_S, spans=None, partial=False, tick=ignore, context_s=4.0):
    samples = np.broadcast_to(np.float32(0), round(duration_s * SAMPLE_RATE))
    form = LongForm(samples=samples, decode=decoder, max_window_s=30.0, context_s=context_s, partial=partial)
    return form.transcribe(spans=spans, tick=tick)


def misses_in_windows_of(least_s, *, first_s=20.0, last_s=23.0):
    """Lose a few seconds of words, but only in windows as long as this."""
    return lambda window, time_s: first_s <= time_s < last_s and seconds(window) >= least_s
