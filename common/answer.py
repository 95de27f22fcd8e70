"""Words and turns into the answer a caller asked for: assign speakers, cut segments, render the format."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from common.contract import OrchestrationRequest, SubtitleOptions, TranscriptionFields, TurnOut
from common.coverage import Coverage, coverage_warnings
from common.errors import JobCancelledError, ParleyError
from common.formats import RenderOptions, SubtitleLimits, render
from common.segments import segment_words
from common.speakers import assign_speakers
from common.timeline import Transcript, Turn, Word


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What transcription found: words in order, the language, the length of the audio in seconds, the coverage."""

    words: tuple[Word, ...]
    language: str
    duration_s: float
    coverage: Coverage | None = None


def build_answer(
    heard: Heard,
    *,
    turns: Sequence[Turn] | None,
    fields: TranscriptionFields,
    report: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the result in `fields.response_format`, with `coverage` if there is one.

    `turns` of None means that speakers were not asked for. `report` (`model`, `device`, `warnings`, …) is put beside
    it, with one more warning where speech has no words.
    """
    words = heard.words if turns is None else assign_speakers(heard.words, turns)
    transcript = Transcript(
        segments=segment_words(words),
        duration_s=heard.duration_s,
        language=heard.language,
        diarized=turns is not None,
        turns=tuple(turns or ()),
    )
    answer = render(transcript, fields.response_format, options=_render_options(fields))
    if heard.coverage is not None:
        answer["coverage"] = heard.coverage.as_dict()
    return answer if report is None else answer | _warned(report, heard.coverage)


def _warned(report: Mapping[str, Any], coverage: Coverage | None) -> dict[str, Any]:
    warnings = [*report.get("warnings", ()), *coverage_warnings(coverage)]
    return {**report, "warnings": list(dict.fromkeys(warnings))}


def orchestrated_answer(
    request: OrchestrationRequest,
    *,
    heard: Heard,
    transcription: Mapping[str, Any],
    diarization: Mapping[str, Any] | ParleyError | None,
) -> dict[str, Any]:
    """Merge what both endpoints returned into the orchestrator's result, without its `timings`.

    `transcription` has `model`, `device` and `warnings`; `diarization` is a diarization result, the error it
    ended with, or None when nobody asked for speakers. Raises that error unless the request says `degrade`.
    """
    if isinstance(diarization, ParleyError):
        if request.on_diarization_failure == "fail" or isinstance(diarization, JobCancelledError):
            raise diarization
        return _without_speakers(request, heard, transcription, failure=diarization)
    if diarization is None:
        return _without_speakers(request, heard, transcription, failure=None)
    return _with_speakers(request, heard, transcription, diarization)


def diarized_turns(diarization: Mapping[str, Any]) -> tuple[Turn, ...]:
    """Return the turns of a diarization result."""
    segments = (TurnOut.model_validate(segment) for segment in diarization["segments"])
    return tuple(Turn(start=one.start, end=one.end, speaker=one.speaker) for one in segments)


def _with_speakers(
    request: OrchestrationRequest, heard: Heard, transcription: Mapping[str, Any], diarization: Mapping[str, Any]
) -> dict[str, Any]:
    turns = diarized_turns(diarization)
    answer = build_answer(heard, turns=turns, fields=request, report=_report(transcription, diarization))
    answer["diarization"] = "completed"
    answer["models"]["diarization"] = diarization["model"]
    if request.response_format == "verbose_json":
        answer["diarization_segments"] = [
            {"start": turn.start, "end": turn.end, "speaker": turn.speaker} for turn in turns
        ]
    if request.return_embeddings:
        answer["embeddings"] = diarization.get("embeddings") or {}
    return answer


def _without_speakers(
    request: OrchestrationRequest, heard: Heard, transcription: Mapping[str, Any], *, failure: ParleyError | None
) -> dict[str, Any]:
    answer = build_answer(heard, turns=None, fields=request, report=_report(transcription))
    answer["diarization"] = "not_requested" if failure is None else "failed"
    if failure is not None:
        answer["warnings"].append(f"diarization failed, so that words have no speakers: {failure.message}")
    return answer


def _report(transcription: Mapping[str, Any], *others: Mapping[str, Any]) -> dict[str, Any]:
    warnings = [text for report in (transcription, *others) for text in report.get("warnings", ())]
    return {
        "model": transcription["model"],
        "models": {"transcription": transcription["model"]},
        "device": transcription["device"],
        "warnings": warnings,
    }


def _render_options(fields: TranscriptionFields) -> RenderOptions:
    layout = fields.subtitles or SubtitleOptions()
    return RenderOptions(
        timestamps=fields.timestamps,
        subtitles=SubtitleLimits(
            max_line_chars=layout.max_line_chars,
            max_lines=layout.max_lines,
            max_cue_s=layout.max_cue_s,
            speaker_labels=layout.speaker_labels,
        ),
    )
