"""A request's wishes as an engine takes them: stretches in samples, in order, instead of seconds in any order."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from common.audio.limits import SAMPLE_RATE
from common.contract import SpanIn, TranscriptionFields
from common.progress import Tick
from handlers.transcription.engine import DecodingOptions, Hypothesis, SampleSpan, TranscriptionEngine


def transcribe_spans(
    engine: TranscriptionEngine,
    samples: NDArray[np.float32],
    *,
    spans: Sequence[SpanIn] | None,
    fields: TranscriptionFields,
    tick: Tick,
) -> Hypothesis:
    """Transcribe `spans` of mono 16 kHz `samples` each by itself, or all of it for None."""
    options = DecodingOptions(
        language=fields.language,
        chunk_duration_s=fields.chunk_duration,
        hotwords=tuple(fields.hotwords or ()),
        spans=None if spans is None else merged(spans, total=len(samples)),
    )
    return engine.transcribe(samples, options=options, tick=tick)


def merged(spans: Sequence[SpanIn], *, total: int) -> tuple[SampleSpan, ...]:
    """Return the spans as samples `[first, past_last)`: in order, clipped to `total`, touching ones joined."""
    result: list[SampleSpan] = []
    for span in sorted(spans, key=lambda one: one.start):
        first, last = (min(round(time * SAMPLE_RATE), total) for time in (span.start, span.end))
        if result and first <= result[-1][1]:
            result[-1] = (result[-1][0], max(last, result[-1][1]))
        elif first < last:
            result.append((first, last))
    return tuple(result)
