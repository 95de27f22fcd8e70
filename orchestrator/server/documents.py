"""Results as the web server keeps them, and as files in any format, with a reader's edits or without."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from common.errors import InvalidInputError
from common.formats import JSON_FORMATS, RenderOptions, render, rttm_of_turns
from common.speaker_names import named_embeddings
from common.timeline import SpeakerTurns, Transcript
from orchestrator.server.edited import EditedTranscript, parse_edits
from orchestrator.server.jobs import Job
from orchestrator.server.stored_transcripts import corrected, transcript_of, turns_of

__all__ = [
    "EditedTranscript",
    "Rendered",
    "parse_edits",
    "rendered",
    "result_document",
    "reused_document",
]

ALIASES = {"txt": "text"}
MEDIA_TYPES = {
    "srt": "application/x-subrip; charset=utf-8",
    "vtt": "text/vtt; charset=utf-8",
    "tsv": "text/tab-separated-values; charset=utf-8",
    **dict.fromkeys(("text", "rttm", "stm", "ctm"), "text/plain; charset=utf-8"),
    **dict.fromkeys(JSON_FORMATS, "application/json"),
}
SUFFIXES = {"text": ".txt", "verbose_json": ".verbose.json", "diarized_json": ".diarized.json"}
SERVERS_OWN = frozenset(  # what a result has besides the pipeline's answer
    {"success", "job_id", "filename", "cached", "aligned_segments", "speaker_turns", "full_text"}
    | {"performance_metrics"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """A file: its bytes (UTF-8), their media type, and the suffix of its name with the dot."""

    content: bytes
    media_type: str
    suffix: str


def result_document(job: Job, answer: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is kept of a job and told of it: `answer`, with what clients of such servers look for beside it.

    `answer` is the pipeline's in `verbose_json`, or that of the diarization endpoint. Times are seconds; the real-time
    factor is the time it took per time of audio.
    """
    told = {
        "success": True,
        "job_id": job.id,
        "filename": job.filename,
        "performance_metrics": _performance(answer.get("timings") or {}, float(answer["duration"])),
    }
    if job.kind == "diarization":
        found = {key: value for key, value in answer.items() if key != "segments"}
        return {**found, **told, "timeline": list(answer["segments"])}
    return {
        **answer,
        **told,
        "full_text": answer["text"],
        "aligned_segments": [_aligned(segment) for segment in answer["segments"]],
        "speaker_turns": list(answer.get("diarization_segments") or ()),
    }


def reused_document(job: Job, document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the result of another job that found the same, as that of this one."""
    return {**document, "job_id": job.id, "filename": job.filename, "request_id": job.request_id, "cached": True}


def rendered(result: Mapping[str, Any], response_format: str, *, edited: EditedTranscript | None = None) -> Rendered:
    """Return a job's result in any format, as the reader left it if it was `edited`; `txt` is `text`.

    Without edits it is what the pipeline answers in that format. With them the reader's segments, words and names are
    in it instead; subtitles are cut into cues as ever. Raises InvalidInputError for a format that there is not, or not
    of a diarization. Slow: call it in a thread.
    """
    name = ALIASES.get(response_format, response_format)
    if name not in MEDIA_TYPES:
        raise InvalidInputError(f"unknown format; choose one of txt, {', '.join(MEDIA_TYPES)}", param="format")
    document = _turns_document(result, name) if "timeline" in result else _document(result, name, edited)
    return Rendered(content=_encoded(document), media_type=MEDIA_TYPES[name], suffix=SUFFIXES.get(name, f".{name}"))


def _performance(timings: Mapping[str, float], duration_s: float) -> dict[str, Any]:
    total_s = timings.get("total_s")
    factor = round(total_s / duration_s, 4) if total_s is not None and duration_s > 0 else None
    return {**timings, "total_s": total_s, "real_time_factor": factor}


def _aligned(segment: Mapping[str, Any]) -> dict[str, Any]:
    return {key: segment.get(key) for key in ("start", "end", "speaker", "text")}


def _encoded(document: str | Mapping[str, Any]) -> bytes:
    text = document if isinstance(document, str) else json.dumps(document, ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8", "replace")  # half characters cannot be written


def _turns_document(result: Mapping[str, Any], name: str) -> str | Mapping[str, Any]:
    if name == "rttm":
        return rttm_of_turns(turns_of(result["timeline"]))
    if name == "json":
        return result
    raise InvalidInputError("this job found speakers and no words; choose the format json or rttm", param="format")


def _document(result: Mapping[str, Any], name: str, edited: EditedTranscript | None) -> str | Mapping[str, Any]:
    kept = transcript_of(result)
    transcript = kept if edited is None else corrected(kept, edited)
    answer = render(transcript, name, options=_options(result))
    if name == "verbose_json":
        return {**_report(result, transcript, edited), **answer}
    return answer if name in JSON_FORMATS else str(answer["text"])


def _options(result: Mapping[str, Any]) -> RenderOptions:
    words = result.get("words") or ()
    return RenderOptions(speaker_confidence=any("speaker_confidence" in word or "overlap" in word for word in words))


def _report(result: Mapping[str, Any], transcript: Transcript, edited: EditedTranscript | None) -> dict[str, Any]:
    """Return what a pipeline's answer says beside the transcript, with the reader's names in it."""
    report = {key: value for key, value in result.items() if key not in SERVERS_OWN}
    if edited is None:
        return report
    if "diarization_segments" in report:
        report["diarization_segments"] = [asdict(turn) for turn in transcript.turns]
    if "words_without_speaker" in report:
        report["words_without_speaker"] = sum(word.speaker is None for word in transcript.words)
    if report.get("embeddings"):
        spoken = SpeakerTurns(turns=transcript_of(result).turns)
        report["embeddings"] = named_embeddings(report["embeddings"], edited.names, spoken)
    if edited.names:
        report["speaker_names"] = {**(report.get("speaker_names") or {}), **edited.names}
    return report
