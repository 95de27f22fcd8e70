"""`verbose_json`, as OpenAI's `TranscriptionVerbose` with speakers and confidences, and its reader."""

import math
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import TypeAdapter, ValidationError

from common.errors import InvalidInputError
from common.formats.escape import finite_confidence, rounded_seconds
from common.formats.options import RenderOptions
from common.results import WordOut
from common.timeline import Segment, Transcript, Word

_WORDS = TypeAdapter(list[WordOut])


def render_verbose_json(transcript: Transcript, options: RenderOptions) -> dict[str, Any]:
    """Return text, segments and words with times in seconds, rounded to milliseconds.

    `speaker` keys and the list of speakers are there if speakers were asked for; null is nobody known.
    """
    result: dict[str, Any] = {
        "task": "transcribe",
        "language": transcript.language,
        "duration": rounded_seconds(transcript.duration_s),
        "text": transcript.text,
        "segments": [_segment(segment, transcript, options) for segment in transcript.segments],
    }
    if options.timestamps:
        result["words"] = [_word(word, transcript, options) for word in transcript.words]
    if transcript.diarized:
        result["num_speakers"] = len(transcript.speakers)
        result["speakers"] = list(transcript.speakers)
    return result


def transcript_words(verbose: Mapping[str, Any]) -> tuple[Word, ...]:
    """Return the words of a `verbose_json` result; raises InvalidInputError if it has none or they are malformed."""
    try:
        words = _WORDS.validate_python(verbose.get("words"))
    except ValidationError as error:
        field = ".".join(str(part) for part in ("words", *error.errors(include_url=False)[0]["loc"]))
        message = f"{field} is missing or malformed; ask for response_format verbose_json with timestamps true"
        raise InvalidInputError(message, param="words") from None
    return tuple(Word(w.word, w.start, w.end, w.confidence, w.speaker, w.space_before) for w in words)


def _segment(segment: Segment, transcript: Transcript, options: RenderOptions) -> dict[str, Any]:
    result: dict[str, Any] = {
        "id": segment.id,
        "start": rounded_seconds(segment.start),
        "end": rounded_seconds(segment.end),
        "text": segment.text,
    }
    if transcript.diarized:
        result["speaker"] = segment.speaker
    if options.timestamps:
        result["words"] = [_word(word, transcript, options) for word in segment.words]
    return result | _whisper_fields(segment)


def _whisper_fields(segment: Segment) -> dict[str, Any]:
    """Return what OpenAI's type requires of a segment, neutral where it only makes sense inside Whisper."""
    return {
        "seek": 0,
        "tokens": [],
        "temperature": 0.0,
        "avg_logprob": _mean_log_confidence(segment.words),
        "compression_ratio": _compression_ratio(segment.text),
        "no_speech_prob": 0.0,
    }


def _mean_log_confidence(words: Sequence[Word]) -> float:
    logs = [math.log(c) for word in words if (c := finite_confidence(word.confidence)) is not None and c > 0]
    return round(sum(logs) / len(logs), 4) if logs else 0.0


def _compression_ratio(text: str) -> float:
    data = text.encode("utf-8", "replace")
    return round(len(data) / len(zlib.compress(data)), 4)


def _word(word: Word, transcript: Transcript, options: RenderOptions) -> dict[str, Any]:
    result: dict[str, Any] = {
        "word": word.text,
        "start": rounded_seconds(word.start),
        "end": rounded_seconds(word.end),
    }
    confidence = finite_confidence(word.confidence)
    if confidence is not None:
        result["confidence"] = confidence
    if transcript.diarized:
        result["speaker"] = word.speaker
        if options.speaker_confidence:
            result |= _attribution(word)
    if not word.space_before:
        result["space_before"] = False
    return result


def _attribution(word: Word) -> dict[str, Any]:
    confidence = finite_confidence(word.speaker_confidence)
    certainty = {} if confidence is None else {"speaker_confidence": confidence}
    return certainty | ({"overlap": True} if word.overlap else {})
