"""Both models in one worker: the orchestrator's request and result without the orchestrator."""

import logging
import os
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from common.answer import Heard, diarized_turns, orchestrated_answer
from common.audio.limits import SAMPLE_RATE
from common.contract import OrchestrationRequest, SpanIn
from common.errors import EngineError, JobCancelledError, ParleyError
from common.logs import set_up_logs
from common.progress import Tick, part_of
from common.repair import REPAIR_SHARE, after_repair, not_repaired, plan_repair
from common.runpod_loop import post_progress, serve
from common.settings import load_settings
from common.timeline import Turn
from handlers.device import let_others_compute
from handlers.diarization.engine import DiarizationEngine
from handlers.diarization.handler import diarize
from handlers.diarization.pyannote_engine import find_engine as find_diarization
from handlers.transcription.engine import TranscriptionEngine
from handlers.transcription.handler import find_engine as find_transcription
from handlers.transcription.handler import report
from handlers.transcription.spans import transcribe_spans
from handlers.worker import Worker, load_or_exit

FoundT = TypeVar("FoundT")

logger = logging.getLogger(__name__)


def transcribe_and_diarize(
    transcription: TranscriptionEngine,
    diarization: DiarizationEngine,
    request: OrchestrationRequest,
    samples: NDArray[np.float32],
    tick: Tick,
) -> dict[str, Any]:
    """Return the orchestrator's result for mono 16 kHz `samples`, without its `timings`."""
    transcribed = partial(_transcribed, transcription, samples=samples)
    if not request.diarize:
        heard = transcribed(request, spans=None, tick=tick)
        return orchestrated_answer(request, heard=heard, transcription=report(transcription), diarization=None)
    first, second, repair = _parts(tick, repairing=request.repair)
    heard = transcribed(request, spans=None, tick=first)
    spoken = _attempted("diarization", lambda: diarize(diarization, request, samples, second))
    warnings: list[str] = []
    if not isinstance(spoken, ParleyError):
        heard, warnings = _repaired(partial(transcribed, tick=repair), request, heard, diarized_turns(spoken))
    about = report(transcription)
    about["warnings"] += warnings
    return orchestrated_answer(request, heard=heard, transcription=about, diarization=spoken)


def _parts(tick: Tick, *, repairing: bool) -> tuple[Tick, Tick, Tick]:
    both = 1 - REPAIR_SHARE if repairing else 1.0
    return part_of(tick, 0.0, both / 2), part_of(tick, both / 2, both), part_of(tick, both, 1.0)


def _transcribed(
    engine: TranscriptionEngine,
    request: OrchestrationRequest,
    *,
    samples: NDArray[np.float32],
    spans: Sequence[SpanIn] | None,
    tick: Tick,
) -> Heard:
    found = transcribe_spans(engine, samples, spans=spans, fields=request, tick=tick)
    duration_s = len(samples) / SAMPLE_RATE
    return Heard(words=found.words, language=found.language, duration_s=duration_s, coverage=found.coverage)


def _repaired(
    transcribed: Callable[..., Heard], request: OrchestrationRequest, heard: Heard, turns: Sequence[Turn]
) -> tuple[Heard, list[str]]:
    """Return `heard` with the words found in speech that had none, and a warning where that failed."""
    repair = plan_repair(heard, turns)
    if not (request.repair and repair.spans):
        return after_repair(heard, turns, repair=repair, found=None), []
    asked = request.model_copy(update={"language": request.language or repair.language})
    spans = [SpanIn(start=start, end=end) for start, end in repair.spans]
    found = _attempted("transcription", lambda: transcribed(asked, spans=spans))
    if isinstance(found, JobCancelledError):
        raise found
    if isinstance(found, ParleyError):
        return after_repair(heard, turns, repair=repair, found=None), [not_repaired(found)]
    return after_repair(heard, turns, repair=repair, found=found), []


def _attempted(model: str, work: Callable[[], FoundT]) -> FoundT | ParleyError:
    try:
        return work()
    except ParleyError as error:
        return error
    except Exception:  # where each model is a worker of its own, this is its process boundary
        logger.exception("%s_crashed", model)
        return EngineError(f"the {model} model failed on this audio; the worker's log has the cause")


def main() -> None:
    """Run the worker until it is told to stop."""
    set_up_logs()
    let_others_compute()
    settings = load_or_exit(lambda: load_settings(os.environ))
    # both are found before one is loaded: a mistake in the settings is to be heard of within a second
    load_diarization = load_or_exit(lambda: find_diarization(settings.diarization))
    load_transcription = load_or_exit(lambda: find_transcription(settings.transcription))
    diarization, transcription = load_or_exit(load_diarization), load_or_exit(load_transcription)
    worker = Worker(
        name="combined",
        request_type=OrchestrationRequest,
        infer=partial(transcribe_and_diarize, transcription, diarization),
        limits=settings.limits,
        post_progress=post_progress,
    )
    serve(worker)


if __name__ == "__main__":
    main()
