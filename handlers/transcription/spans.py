"""Transcribing only some stretches of the audio, with times that stay those of the whole."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from common.audio.limits import SAMPLE_RATE
from common.contract import SpanIn, TranscriptionFields
from common.progress import Tick, part_of
from handlers.transcription.engine import Hypothesis, TranscriptionEngine


def transcribe_spans(
    engine: TranscriptionEngine,
    samples: NDArray[np.float32],
    *,
    spans: Sequence[SpanIn] | None,
    fields: TranscriptionFields,
    tick: Tick,
) -> Hypothesis:
    """Transcribe `spans` of mono 16 kHz `samples` each by itself, or all of it for None."""
    total = max(len(samples), 1)
    stretches = [(0, len(samples))] if spans is None else merged(spans, total=len(samples))
    found = [
        (first, _heard(engine, samples[first:last], fields, part_of(tick, first / total, last / total)))
        for first, last in stretches or [(0, 0)]
    ]
    words = tuple(word.shifted(first / SAMPLE_RATE) for first, heard in found for word in heard.words)
    return Hypothesis(words=words, language=found[0][1].language)


def merged(spans: Sequence[SpanIn], *, total: int) -> list[tuple[int, int]]:
    """Return the spans as samples `(first, past_last)`: in order, clipped to `total`, touching ones joined."""
    result: list[tuple[int, int]] = []
    for span in sorted(spans, key=lambda one: one.start):
        first, last = (min(round(time * SAMPLE_RATE), total) for time in (span.start, span.end))
        if result and first <= result[-1][1]:
            result[-1] = (result[-1][0], max(last, result[-1][1]))
        elif first < last:
            result.append((first, last))
    return result


def _heard(
    engine: TranscriptionEngine, samples: NDArray[np.float32], fields: TranscriptionFields, tick: Tick
) -> Hypothesis:
    return engine.transcribe(samples, language=fields.language, chunk_duration_s=fields.chunk_duration, tick=tick)
