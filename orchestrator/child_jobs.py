"""What each child endpoint is asked, and what it answers."""

from collections.abc import Mapping
from typing import Any

from common.answer import Heard
from common.contract import DiarizationFields, OrchestrationRequest
from common.errors import InvalidInputError
from common.formats import transcript_words
from common.results import CoverageOut
from orchestrator.children import foreign_output

DIARIZATION_FIELDS = {"audio", *DiarizationFields.model_fields}
TRANSCRIPTION_FIELDS = {"audio", "language", "chunk_duration", "hotwords"}


def diarization_input(request: OrchestrationRequest) -> dict[str, Any]:
    """Return the part of `request` that the diarization endpoint knows."""
    return _pick(request, DIARIZATION_FIELDS)


def transcription_input(request: OrchestrationRequest) -> dict[str, Any]:
    """Return the part of `request` that the transcription endpoint is to know: speakers are merged in here."""
    return {**_pick(request, TRANSCRIPTION_FIELDS), "response_format": "verbose_json"}


def _pick(request: OrchestrationRequest, names: set[str]) -> dict[str, Any]:
    return request.model_dump(include=names, exclude_defaults=True)


def heard_in(output: Mapping[str, Any]) -> Heard:
    """Read the transcription endpoint's `verbose_json` back; raises EndpointError when it is not that."""
    coverage = output.get("coverage")
    try:
        return Heard(
            words=transcript_words(dict(output)),
            language=str(output["language"]),
            duration_s=float(output["duration"]),
            coverage=None if coverage is None else CoverageOut.model_validate(coverage).coverage(),
        )
    except (KeyError, TypeError, ValueError, InvalidInputError):
        raise foreign_output("transcription") from None
