"""Words of an earlier result that get new speakers: nothing is transcribed again."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from common.answer import Heard, diarized_turns
from common.contract import OrchestrationRequest
from common.errors import ParleyError
from common.repair import Repair, after_repair
from common.timeline import UNDETERMINED, Word

NO_MODEL = {"model": "none", "device": "none"}  # the report of an answer for which no model ran to its end
BEYOND_S = 1.0  # words may end so much later than the audio, by rounding and by what engines do at its end


def earlier_heard(request: OrchestrationRequest, diarization: Mapping[str, Any] | ParleyError) -> Heard:
    """Return the words of `request` as they were given, with the coverage of the speech of `diarization`.

    Their language is the request's. The length of the audio is the diarization's; where that failed, it is the end of
    the last word.
    """
    heard = Heard(
        words=tuple(
            Word(w.word, w.start, w.end, w.confidence, space_before=w.space_before) for w in request.words or ()
        ),
        language=request.language or UNDETERMINED,
        duration_s=0.0,
    )
    if isinstance(diarization, ParleyError):
        return replace(heard, duration_s=_end_s(heard))
    heard = replace(heard, duration_s=float(diarization["duration"]))
    nothing = Repair(holes=(), spans=(), language=None)
    return after_repair(heard, diarized_turns(diarization).turns, repair=nothing, found=None)


def earlier_report(heard: Heard, diarization: Mapping[str, Any] | ParleyError) -> dict[str, Any]:
    """Return what stands in an answer for the transcription's report: the diarization's model, for no other ran."""
    if isinstance(diarization, ParleyError):
        return {**NO_MODEL, "warnings": []}
    warnings = []
    if _end_s(heard) > heard.duration_s + BEYOND_S:
        warnings.append(
            f"the words end at {_end_s(heard):.1f} s, the audio at {heard.duration_s:.1f} s; "
            "are they of the same recording?"
        )
    return {"model": diarization["model"], "device": diarization["device"], "warnings": warnings}


def _end_s(heard: Heard) -> float:
    return max((word.end for word in heard.words), default=0.0)
