"""Stored results on the timeline again, as they were found or as a reader left them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from pydantic import TypeAdapter

from common.results import SegmentOut, TurnOut, WordOut
from common.timeline import Segment, SpeakerTurns, Transcript, Turn, Word
from orchestrator.server.edited import EditedTranscript

SEGMENTS = TypeAdapter(list[SegmentOut])
TURNS = TypeAdapter(list[TurnOut])


def turns_of(told: object) -> tuple[Turn, ...]:
    """Return turns of a stored result, `[{start, end, speaker}]`."""
    return tuple(turn.turn() for turn in TURNS.validate_python(told))


def transcript_of(result: Mapping[str, Any]) -> Transcript:
    """Return a stored result on the timeline again, as it was rendered: times are in whole milliseconds. Slow."""
    return Transcript(
        segments=tuple(_segment(segment) for segment in SEGMENTS.validate_python(result["segments"])),
        duration_s=float(result["duration"]),
        language=str(result["language"]),
        diarized="speakers" in result,
        turns=turns_of(result.get("diarization_segments") or []),
    )


def _segment(told: SegmentOut) -> Segment:
    words = tuple(_word(word) for word in told.words or ())
    return Segment(told.id, told.start, told.end, told.text, told.speaker, words)


def _word(told: WordOut) -> Word:
    return Word(
        told.word,
        told.start,
        told.end,
        told.confidence,
        told.speaker,
        told.space_before,
        speaker_confidence=told.speaker_confidence,
        overlap=told.overlap,
    )


def corrected(kept: Transcript, edited: EditedTranscript) -> Transcript:
    """Return the transcript with the reader's segments and names, and with turns that agree with them."""
    segments, names = edited.timeline(), edited.names
    follow = not segments or _moved(kept.words, segments)
    turns = _segment_turns(segments) if follow else kept.turns
    return replace(
        kept,
        segments=tuple(_renamed(segment, names) for segment in segments),
        diarized=kept.diarized or any(segment.speaker is not None for segment in segments),
        turns=SpeakerTurns(turns=turns).renamed(names).turns,
    )


def _renamed(segment: Segment, names: Mapping[str, str]) -> Segment:
    if segment.speaker is None or segment.speaker not in names:
        return segment
    name = names[segment.speaker]
    return replace(segment, speaker=name, words=tuple(replace(word, speaker=name) for word in segment.words))


def _moved(words: Sequence[Word], segments: Sequence[Segment]) -> bool:
    """Tell whether a word went to another speaker, so that the turns that were found are no longer right."""
    times = {(word.start, word.end) for word in words}
    before = {(word.start, word.end, word.speaker) for word in words}
    return any(
        (word.start, word.end) in times and (word.start, word.end, word.speaker) not in before
        for segment in segments
        for word in segment.words
    )


def _segment_turns(segments: Sequence[Segment]) -> tuple[Turn, ...]:
    return tuple(Turn(one.start, one.end, one.speaker) for one in segments if one.speaker is not None)
