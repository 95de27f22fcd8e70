"""Words and turns into the answer a caller asked for: assign speakers, cut segments, render the format."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any

from common.contract import OrchestrationRequest, SubtitleOptions, TranscriptionFields, TurnOut
from common.coverage import Coverage, coverage_warnings
from common.errors import JobCancelledError, ParleyError
from common.formats import RenderOptions, SubtitleLimits, render
from common.segments import segment_words
from common.speakers import assign_speakers
from common.timeline import SpeakerTurns, Transcript, Word


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
    spoken: SpeakerTurns | None,
    fields: TranscriptionFields,
    names: Mapping[str, str] = MappingProxyType({}),
    report: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the result in `fields.response_format`, with `coverage` if there is one.

    `spoken` of None means that speakers were not asked for. `names` replace labels; those of `fields.speaker_names`
    go first. `report` (`model`, `device`, `warnings`, …) is put beside it, with one more warning where speech has no
    words.
    """
    transcript = merged_transcript(heard, spoken, names={**names, **fields.speaker_names})
    answer = render(transcript, fields.response_format, options=_render_options(fields))
    if spoken is not None:
        answer["words_without_speaker"] = sum(word.speaker is None for word in transcript.words)
    if heard.coverage is not None:
        answer["coverage"] = heard.coverage.as_dict()
    return answer if report is None else answer | _warned(report, heard.coverage)


def merged_transcript(
    heard: Heard, spoken: SpeakerTurns | None, *, names: Mapping[str, str] = MappingProxyType({})
) -> Transcript:
    """Return the words in readable segments, each with its speaker unless `spoken` is None; `names` replace labels."""
    turns = None if spoken is None else spoken.renamed(names)
    words = heard.words if turns is None else assign_speakers(heard.words, turns.turns, exclusive=turns.exclusive)
    return Transcript(
        segments=segment_words(words),
        duration_s=heard.duration_s,
        language=heard.language,
        diarized=turns is not None,
        turns=() if turns is None else turns.turns,
    )


def _warned(report: Mapping[str, Any], coverage: Coverage | None) -> dict[str, Any]:
    warnings = [*report.get("warnings", ()), *coverage_warnings(coverage)]
    return {**report, "warnings": list(dict.fromkeys(warnings))}


def orchestrated_answer(
    request: OrchestrationRequest,
    *,
    heard: Heard,
    transcription: Mapping[str, Any],
    diarization: Mapping[str, Any] | ParleyError | None,
    names: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, Any]:
    """Merge what both endpoints returned into the orchestrator's result, without its `timings`.

    `names` replace labels that the request has no name for. `transcription` has `model`, `device` and `warnings`;
    `diarization` is a diarization result, the error it ended with, or None when nobody asked for speakers. Raises that
    error unless the request says `degrade`.
    """
    if isinstance(diarization, ParleyError):
        if request.on_diarization_failure == "fail" or isinstance(diarization, JobCancelledError):
            raise diarization
        return _without_speakers(request, heard, transcription, failure=diarization)
    if diarization is None:
        return _without_speakers(request, heard, transcription, failure=None)
    return _with_speakers(request, heard, transcription, diarization, names={**names, **request.speaker_names})


def diarized_turns(diarization: Mapping[str, Any]) -> SpeakerTurns:
    """Return the turns of a diarization result."""
    turns, exclusive = (
        tuple(TurnOut.model_validate(segment).turn() for segment in diarization.get(key) or ())
        for key in ("segments", "exclusive_segments")
    )
    return SpeakerTurns(turns=turns, exclusive=exclusive)


def _with_speakers(
    request: OrchestrationRequest,
    heard: Heard,
    transcription: Mapping[str, Any],
    diarization: Mapping[str, Any],
    *,
    names: Mapping[str, str],
) -> dict[str, Any]:
    spoken = diarized_turns(diarization)
    answer = build_answer(heard, spoken=spoken, fields=request, names=names, report=_report(transcription, diarization))
    answer["diarization"] = "completed"
    answer["models"]["diarization"] = diarization["model"]
    if request.response_format == "verbose_json":
        answer["diarization_segments"] = [asdict(turn) for turn in spoken.renamed(names).turns]
    if request.return_embeddings:
        vectors = diarization.get("embeddings") or {}
        answer["embeddings"] = {names.get(label, label): vector for label, vector in vectors.items()}
    if request.known_speakers:
        answer["speaker_matches"] = diarization.get("speaker_matches") or []
    if names:
        answer["speaker_names"] = {label: name for label, name in names.items() if label in diarization["speakers"]}
    return answer


def _without_speakers(
    request: OrchestrationRequest, heard: Heard, transcription: Mapping[str, Any], *, failure: ParleyError | None
) -> dict[str, Any]:
    answer = build_answer(heard, spoken=None, fields=request, report=_report(transcription))
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
        speaker_confidence=fields.speaker_confidence,
        subtitles=SubtitleLimits(
            max_line_chars=layout.max_line_chars,
            max_lines=layout.max_lines,
            max_cue_s=layout.max_cue_s,
            speaker_labels=layout.speaker_labels,
        ),
    )
