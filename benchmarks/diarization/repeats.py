"""Whether the same recording gives the same answer, byte for byte, every time."""

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from benchmarks.diarization.recordings import Recording
from common.contract import DiarizationFields
from handlers.diarization.engine import DiarizationEngine
from handlers.diarization.handler import diarize

SEGMENTS = ("segments", "exclusive_segments")


def repeat(engine: DiarizationEngine, recordings: Sequence[Recording], *, times: int) -> dict[str, Any]:
    """Return per recording how many different answers `times` runs of the worker's job give: 1 if all are alike."""
    return {one.name: _different(engine, one, times=times) for one in recordings}


def _different(engine: DiarizationEngine, recording: Recording, *, times: int) -> dict[str, int]:
    fields = DiarizationFields(return_embeddings=True)
    answers = [diarize(engine, fields, recording.samples, _ignore) for _ in range(times)]
    return {
        "runs": times,
        "different_segments": len({_digest({key: one[key] for key in SEGMENTS}) for one in answers}),
        "different_results": len({_digest(one) for one in answers}),
    }


def _digest(answer: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(answer).encode()).hexdigest()


def _ignore(stage: str, fraction: float) -> None:
    pass
