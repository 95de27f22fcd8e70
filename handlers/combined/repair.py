"""Speech of the diarization without words, decoded once more by the transcription model of the same worker."""

import logging
from collections.abc import Callable, Sequence
from typing import TypeVar

from common.answer import Heard
from common.contract import OrchestrationRequest, SpanIn
from common.errors import EngineError, JobCancelledError, ParleyError
from common.repair import after_repair, not_repaired, plan_repair
from common.timeline import Turn

FoundT = TypeVar("FoundT")

logger = logging.getLogger(__name__)


def repaired(
    transcribed: Callable[..., Heard], request: OrchestrationRequest, heard: Heard, turns: Sequence[Turn]
) -> tuple[Heard, list[str]]:
    """Return `heard` with the words found in speech that had none, and a warning where that failed."""
    repair = plan_repair(heard, turns)
    if not (request.repair and repair.spans):
        return after_repair(heard, turns, repair=repair, found=None), []
    asked = request.model_copy(update={"language": request.language or repair.language})
    spans = [SpanIn(start=start, end=end) for start, end in repair.spans]
    found = attempted("transcription", lambda: transcribed(asked, spans=spans))
    if isinstance(found, JobCancelledError):
        raise found
    if isinstance(found, ParleyError):
        return after_repair(heard, turns, repair=repair, found=None), [not_repaired(found)]
    return after_repair(heard, turns, repair=repair, found=found), []


def attempted(model: str, work: Callable[[], FoundT]) -> FoundT | ParleyError:
    """Return what `work` does, or the error it ends with."""
    try:
        return work()
    except ParleyError as error:
        return error
    except Exception:  # where each model is a worker of its own, this is its process boundary
        logger.exception("%s_crashed", model)
        return EngineError(f"the {model} model failed on this audio; the worker's log has the cause")
