"""Words and turns into the answer a caller asked for: assign speakers, cut segments, render the format."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from types import MappingProxyType
from typing import Any

from common.contract import OrchestrationRequest, SubtitleOptions, TranscriptionFields
from common.coverage import Coverage, coverage_warnings
from common.errors import JobCancelledError, ParleyError
from common.field_values import check_speakers
from common.formats import RenderOptions, SubtitleLimits, render
from common.results import TurnOut
from common.segments import segment_words
from common.speaker_names import SpeakerNames, named_embeddings, speaker_names
from common.speakers import assign_speakers
from common.timeline import SpeakerTurns, Transcript, Word

NOBODY = SpeakerTurns(turns=())

Spoken = Mapping[str, Any] | ParleyError  # the diarization's result, or the error it ended with


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
    names: SpeakerNames | None = None,
    report: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the result in `fields.response_format`, with `coverage` if there is one.

    `spoken` of None means that speakers were not asked for. `names` replace labels; left out, they are those of
    `fields`. `report` (`model`, `device`, `warnings`, …) is put beside it, with more warnings where names have no use
    and where speech has no words.
    """
    names = names or speaker_names(fields.speaker_names, spoken or NOBODY)
    transcript = merged_transcript(heard, spoken, names=names.by_label)
    answer = render(transcript, fields.response_format, options=_render_options(fields))
    if spoken is not None:
        answer["words_without_speaker"] = sum(word.speaker is None for word in transcript.words)
    if heard.coverage is not None:
        answer["coverage"] = heard.coverage.as_dict()
    return answer if report is None else answer | _warned(report, [*names.warnings, *coverage_warnings(heard.coverage)])


def merged_transcript(
    heard: Heard, spoken: SpeakerTurns | None, *, names: Mapping[str, str] = MappingProxyType({})
) -> Transcript:
    """Return the words in readable segments, each with its speaker unless `spoken` is None; `names` replace labels.

    Who said a word does not depend on what anybody is called, only on which labels share a name and so are one speaker.
    """
    words = heard.words if spoken is None else _named_words(heard.words, spoken, names)
    return Transcript(
        segments=segment_words(words),
        duration_s=heard.duration_s,
        language=heard.language,
        diarized=spoken is not None,
        turns=() if spoken is None else spoken.renamed(names).turns,
    )


def _named_words(words: Sequence[Word], spoken: SpeakerTurns, names: Mapping[str, str]) -> tuple[Word, ...]:
    first_of: dict[str, str] = {}
    one = {label: first_of.setdefault(names.get(label, label), label) for label in sorted(spoken.labels)}
    turns = spoken.renamed(one)
    found = assign_speakers(words, turns.turns, exclusive=turns.exclusive)
    shown = {label: name for name, label in first_of.items()}
    if all(label == name for label, name in shown.items()):
        return found
    return tuple(word if word.speaker is None else replace(word, speaker=shown[word.speaker]) for word in found)


def _warned(report: Mapping[str, Any], warnings: Iterable[str]) -> dict[str, Any]:
    return {**report, "warnings": list(dict.fromkeys([*report.get("warnings", ()), *warnings]))}


def orchestrated_answer(
    request: OrchestrationRequest,
    *,
    heard: Heard,
    transcription: Mapping[str, Any],
    diarization: Spoken | None,
    names: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, Any]:
    """Merge what both endpoints returned into the orchestrator's result, without its `timings`.

    `names`, by label, are for those whom the request has no name for. `transcription` has `model`, `device` and
    `warnings`; `diarization` is a diarization result, the error it ended with, or None when nobody asked for speakers.
    Raises that error unless the request says `degrade`.
    """
    if isinstance(diarization, ParleyError):
        if request.on_diarization_failure == "fail" or isinstance(diarization, JobCancelledError):
            raise diarization
        return _without_speakers(request, heard, transcription, failure=diarization)
    if diarization is None:
        return _without_speakers(request, heard, transcription, failure=None)
    return _with_speakers(request, heard, transcription, diarization, found=names)


def diarized_turns(diarization: Mapping[str, Any]) -> SpeakerTurns:
    """Return the turns of a diarization result; raises InvalidInputError where more than MAX_SPEAKERS speak."""
    turns, exclusive = (
        tuple(TurnOut.model_validate(segment).turn() for segment in diarization.get(key) or ())
        for key in ("segments", "exclusive_segments")
    )
    spoken = SpeakerTurns(turns=turns, exclusive=exclusive)
    check_speakers(spoken.labels, param="max_speakers")
    return spoken


def _with_speakers(
    request: OrchestrationRequest,
    heard: Heard,
    transcription: Mapping[str, Any],
    diarization: Mapping[str, Any],
    *,
    found: Mapping[str, str],
) -> dict[str, Any]:
    spoken, matches = diarized_turns(diarization), diarization.get("speaker_matches") or []
    names = speaker_names(request.speaker_names, spoken, matches=matches, found=found)
    answer = build_answer(
        heard, spoken=spoken, fields=request, names=names, report=_report(request, transcription, diarization)
    )
    answer["diarization"] = "completed"
    answer["models"]["diarization"] = diarization["model"]
    if request.response_format == "verbose_json":
        answer["diarization_segments"] = [asdict(turn) for turn in spoken.renamed(names.by_label).turns]
    if request.return_embeddings:
        answer["embeddings"] = named_embeddings(diarization.get("embeddings") or {}, names.by_label, spoken)
    if request.known_speakers:
        answer["speaker_matches"] = matches
    if request.speaker_names or found:
        answer["speaker_names"] = dict(names.told)
    return answer


def _without_speakers(
    request: OrchestrationRequest, heard: Heard, transcription: Mapping[str, Any], *, failure: ParleyError | None
) -> dict[str, Any]:
    answer = build_answer(heard, spoken=None, fields=request, report=_report(request, transcription))
    answer["diarization"] = "not_requested" if failure is None else "failed"
    if failure is not None:
        answer["warnings"].append(f"diarization failed, so that words have no speakers: {failure.message}")
    return answer


def _report(
    request: OrchestrationRequest, transcription: Mapping[str, Any], *others: Mapping[str, Any]
) -> dict[str, Any]:
    warnings = [text for report in (transcription, *others) for text in report.get("warnings", ())]
    return {
        "model": transcription["model"],
        "models": {} if request.words is not None else {"transcription": transcription["model"]},
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
