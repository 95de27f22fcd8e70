"""Both models in one worker: the orchestrator's request and result without the orchestrator."""

import logging
import os
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.answer import Heard, orchestrated_answer
from common.audio.limits import SAMPLE_RATE
from common.contract import OrchestrationRequest
from common.errors import EngineError, ParleyError
from common.logs import set_up_logs
from common.progress import Tick, part_of
from common.runpod_loop import post_progress, serve
from common.settings import load_settings
from handlers.device import let_others_compute
from handlers.diarization.engine import DiarizationEngine
from handlers.diarization.handler import diarize
from handlers.diarization.pyannote_engine import find_engine as find_diarization
from handlers.transcription.engine import TranscriptionEngine
from handlers.transcription.handler import find_engine as find_transcription
from handlers.transcription.handler import report
from handlers.transcription.spans import transcribe_spans
from handlers.worker import Worker, load_or_exit

logger = logging.getLogger(__name__)


def transcribe_and_diarize(
    transcription: TranscriptionEngine,
    diarization: DiarizationEngine,
    request: OrchestrationRequest,
    samples: NDArray[np.float32],
    tick: Tick,
) -> dict[str, Any]:
    """Return the orchestrator's result for mono 16 kHz `samples`, without its `timings`."""
    half = 0.5 if request.diarize else 1.0
    hypothesis = transcribe_spans(transcription, samples, spans=None, fields=request, tick=part_of(tick, 0.0, half))
    heard = Heard(words=hypothesis.words, language=hypothesis.language, duration_s=len(samples) / SAMPLE_RATE)
    spoken = _spoken(diarization, request, samples, part_of(tick, half, 1.0)) if request.diarize else None
    return orchestrated_answer(request, heard=heard, transcription=report(transcription), diarization=spoken)


def _spoken(
    engine: DiarizationEngine, request: OrchestrationRequest, samples: NDArray[np.float32], tick: Tick
) -> dict[str, Any] | ParleyError:
    try:
        return diarize(engine, request, samples, tick)
    except ParleyError as error:
        return error
    except Exception:  # where diarization is a worker of its own, this is its process boundary
        logger.exception("diarization_crashed")
        return EngineError("the diarization model failed on this audio; the worker's log has the cause")


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
