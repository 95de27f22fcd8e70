"""Audio of any length through a decoder of short windows: plan, decode, stitch, and decode again what has no words."""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event
from typing import Protocol

from common.audio.blocks import Samples
from common.audio.limits import SAMPLE_RATE
from common.chunking import Window, plan_windows
from common.coverage import Coverage, Span, duration_s, splice, uncovered, without
from common.progress import Tick, part_of
from common.stitching import stitch
from common.timeline import Word
from handlers.transcription.engine import SampleSpan
from handlers.transcription.speech_detector import Speech, find_speech
from handlers.transcription.window_decoder import Decoded
from handlers.transcription.words import clamped, spoken, trimmed

MIN_HOLE_S = 0.4  # of speech: a short word is no longer
HOLE_MARGIN_S = 0.25  # around words, whose times are not exact
HOLE_CONTEXT_S = (0.3, 1.5)  # heard on both sides of a hole, in the first and in the second round of repair
FAILED_MARGIN_S = 1.0  # a failed window is whole again so near to words that were heard in it after all
TICK_S = 0.5
DECODING_SHARE = 0.9  # of the progress; the rest is repair


class DecodeWindows(Protocol):
    """Decodes windows, all of them in one call, in any order."""

    def __call__(self, samples: Samples, windows: Sequence[Window], *, partial: bool, tick: Tick) -> Sequence[Decoded]:
        """Return what was heard in each; where the model fails, EngineError unless `partial`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LongForm:
    """One recording and the decoder to use on it; neither a window nor its context is longer than `max_window_s`."""

    samples: Samples
    decode: DecodeWindows
    max_window_s: float
    context_s: float
    partial: bool  # whether windows may fail

    def transcribe(self, *, spans: Sequence[SampleSpan] | None, tick: Tick) -> tuple[tuple[Word, ...], Coverage | None]:
        """Return the words in `spans`, or all words for None, then also how far they cover the speech."""
        words, coverage = self._covered(tick) if spans is None else self._alone(spans, tick)
        tick("transcription", 1.0)
        return clamped(words, duration_s=len(self.samples) / SAMPLE_RATE), coverage

    def _alone(self, spans: Sequence[SampleSpan], tick: Tick) -> tuple[tuple[Word, ...], Coverage | None]:
        found, failed = self._decoded(spans, partial=self.partial, tick=tick)
        coverage = Coverage(speech_s=0.0, failed=tuple(failed)) if failed else None
        return trimmed([word for part in found for word in part], ()), coverage

    def _covered(self, tick: Tick) -> tuple[tuple[Word, ...], Coverage]:
        whole = [(0, len(self.samples))] if len(self.samples) else []
        with _detection(self.samples) as detection:
            found, failed = self._decoded(whole, partial=self.partial, tick=part_of(tick, 0.0, DECODING_SHARE))
            while not detection.done():
                tick("transcription", DECODING_SHARE)
                wait([detection], timeout=TICK_S)
        speech = detection.result().certain
        words = spoken((word for part in found for word in part), detection.result().possible)
        holes = _holes(speech, words)
        words = self._repaired(words, speech, part_of(tick, DECODING_SHARE, 1.0))
        empty, still_failed = _holes(speech, words), _still_failed(failed, words)
        coverage = Coverage(
            speech_s=duration_s(speech),
            repaired_s=max(0.0, duration_s(holes) - duration_s(empty)),
            empty=without(empty, still_failed),
            failed=still_failed,
        )
        return trimmed(words, speech), coverage

    def _repaired(self, words: tuple[Word, ...], speech: Sequence[Span], tick: Tick) -> tuple[Word, ...]:
        """Decode speech without words again, each hole alone, at first with little and then with more around it."""
        for number, context_s in enumerate(HOLE_CONTEXT_S):
            holes = _holes(speech, words)
            if not holes:
                break
            spans = [self._around(hole, context_s) for hole in holes]
            part = part_of(tick, number / len(HOLE_CONTEXT_S), (number + 1) / len(HOLE_CONTEXT_S))
            found, _ = self._decoded(spans, partial=True, tick=part)
            for (start, end), heard in zip(holes, found, strict=True):
                words = splice(words, heard, span=(start - HOLE_MARGIN_S, end + HOLE_MARGIN_S))
        return words

    def _around(self, hole: Span, context_s: float) -> SampleSpan:
        first, last = (round(time * SAMPLE_RATE) for time in (hole[0] - context_s, hole[1] + context_s))
        return max(first, 0), min(last, len(self.samples))

    def _decoded(
        self, spans: Iterable[SampleSpan], *, partial: bool, tick: Tick
    ) -> tuple[list[tuple[Word, ...]], list[Span]]:
        """Return the words of each span, on the time axis of the samples, and the stretches that failed (s)."""
        plans = [self._plan(*span) for span in spans]
        windows = [window for plan in plans for window in plan]
        decoded = self.decode(self.samples, windows, partial=partial, tick=tick)
        failed = [stretch for one in decoded for stretch in one.failed]
        parts = iter(decoded)
        return [stitch(plan, [next(parts).words for _ in plan]) for plan in plans], failed

    def _plan(self, first: int, last: int) -> list[Window]:
        windows = plan_windows(self.samples[first:last], max_window_s=self.max_window_s, context_s=self.context_s)
        return [window.shifted(first) for window in windows]


@contextmanager
def _detection(samples: Samples) -> Iterator[Future[Speech]]:
    """Look for speech on other threads, in no longer than this context."""
    stop = Event()
    with ThreadPoolExecutor(1, thread_name_prefix="find-speech") as pool:
        try:
            yield pool.submit(find_speech, samples, stop)
        finally:
            stop.set()


def _still_failed(failed: Sequence[Span], words: Sequence[Word]) -> tuple[Span, ...]:
    """Return the failed stretches without what is near words that were heard inside of them after all."""
    found = [word for word in words if any(start <= word.start and word.end <= end for start, end in failed)]
    return uncovered(failed, found, min_s=0.0, margin_s=FAILED_MARGIN_S)


def _holes(speech: Iterable[Span], words: Iterable[Word]) -> tuple[Span, ...]:
    return uncovered(speech, words, min_s=MIN_HOLE_S, margin_s=HOLE_MARGIN_S)
