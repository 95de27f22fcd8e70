"""The transcription worker: audio in, words with times out, merged with the speakers if the caller knows them."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.answer import Heard, build_answer
from common.audio.limits import SAMPLE_RATE, AudioLimits
from common.contract import TranscriptionRequest
from common.job import Boundary, boundary_of
from common.progress import Tick
from common.runpod_loop import post_progress
from common.settings import TranscriptionSettings
from common.timeline import SpeakerTurns
from handlers.device import let_others_compute
from handlers.transcription import parakeet, whisper
from handlers.transcription.engine import TranscriptionEngine
from handlers.transcription.spans import transcribe_spans
from handlers.worker import Worker, load_engine, load_or_exit, serve_worker, settings_of_process


def find_engine(settings: TranscriptionSettings) -> Callable[[], TranscriptionEngine]:
    """Find the model that the settings name; returns what loads it. Both raise ConfigurationError."""
    return whisper.find_engine(settings) if settings.engine == "whisper" else parakeet.find_engine(settings)


def transcribe(
    engine: TranscriptionEngine, request: TranscriptionRequest, samples: NDArray[np.float32], tick: Tick
) -> dict[str, Any]:
    """Return the transcription endpoint's result for mono 16 kHz `samples`, without its `timings`."""
    hypothesis = transcribe_spans(engine, samples, spans=request.spans, fields=request, tick=tick)
    heard = Heard(
        words=hypothesis.words,
        language=hypothesis.language,
        duration_s=len(samples) / SAMPLE_RATE,
        coverage=hypothesis.coverage,
    )
    return build_answer(heard, spoken=_given_turns(request), fields=request, report=report(engine))


def _given_turns(request: TranscriptionRequest) -> SpeakerTurns | None:
    if request.diarization_segments is None:
        return None
    return SpeakerTurns(
        turns=tuple(segment.turn() for segment in request.diarization_segments),
        exclusive=tuple(segment.turn() for segment in request.exclusive_segments or ()),
    )


def report(engine: TranscriptionEngine) -> dict[str, Any]:
    """Return what every result says about how it was made."""
    return {"model": engine.model, "device": engine.device, "warnings": list(engine.warnings)}


def transcription_worker(
    engine: TranscriptionEngine,
    *,
    limits: AudioLimits,
    boundary: Boundary | None = None,
    post: Callable[[dict[str, Any], dict[str, Any]], Awaitable[None]] = post_progress,
) -> Worker[TranscriptionRequest]:
    """Return the RunPod handler of one engine."""
    return Worker(
        name="transcription",
        request_type=TranscriptionRequest,
        infer=partial(transcribe, engine),
        limits=limits,
        post_progress=post,
        boundary=boundary or Boundary(),
    )


def main() -> None:
    """Run the worker until it is told to stop."""
    settings = settings_of_process()
    let_others_compute()
    engine = load_or_exit(lambda: load_engine(find_engine(settings.transcription)))
    worker = transcription_worker(engine, limits=settings.limits, boundary=boundary_of(settings))
    serve_worker(worker, settings)


if __name__ == "__main__":
    main()
