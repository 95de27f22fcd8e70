"""What a caller has on this machine into a request: the recording, the voices of known speakers, earlier words."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from common.audio.limits import AudioLimits
from common.errors import InputTooLargeError, InvalidInputError
from common.formats import transcript_words
from common.timeline import UNDETERMINED, Word
from orchestrator.endpoints import RUN_BODY_BYTES
from orchestrator.upload import BODY_RESERVE_BYTES, is_remote, request_audio

Audio = str | Path | bytes
VOICES_SHARE = 0.4  # of a request's bytes, for the voices of known speakers; they are short


def with_recordings(
    audio: Audio, options: Mapping[str, Any], *, limits: AudioLimits, unsent: Sequence[str] = ()
) -> dict[str, Any]:
    """Return `options` and the field `audio`, local recordings embedded so that all fit one request together.

    Recordings are a path, an http(s) URL, a data URI or bytes, also those of `known_speakers`. Options named in
    `unsent` take no room. Raises InputTooLargeError for what does not fit, else as `request_audio`.
    """
    fields = {**options}
    if isinstance(fields.get("known_speakers"), (list, tuple)):
        fields["known_speakers"] = _with_voices(fields["known_speakers"], limits=limits)
    taken_bytes = len(json.dumps({name: fields[name] for name in fields if name not in unsent}, default=str))
    room_bytes = RUN_BODY_BYTES - taken_bytes
    if room_bytes < BODY_RESERVE_BYTES and not (isinstance(audio, str) and is_remote(audio)):
        raise InputTooLargeError(
            f"without the audio the request has {taken_bytes / 1e6:.1f} MB, of at most {RUN_BODY_BYTES / 1e6:.0f}: "
            "put the recordings where they have http(s) URLs and pass those",
            param="audio",
        )
    return {**fields, "audio": request_audio(audio, limits=limits, body_limit_bytes=room_bytes)}


def _with_voices(known_speakers: Sequence[Any], *, limits: AudioLimits) -> list[Any]:
    """Return known speakers, local recordings embedded; what is no known speaker is left for the contract to refuse."""
    count = sum(_has_audio(known) for known in known_speakers)
    room_bytes = int(RUN_BODY_BYTES * VOICES_SHARE) // max(count, 1)
    return [
        {**known, "audio": _voice(known, index, limits=limits, room_bytes=room_bytes)} if _has_audio(known) else known
        for index, known in enumerate(known_speakers)
    ]


def _has_audio(known: object) -> bool:
    return isinstance(known, Mapping) and isinstance(known.get("audio"), (str, Path, bytes))


def _voice(known: Mapping[str, Any], index: int, *, limits: AudioLimits, room_bytes: int) -> str:
    try:
        return request_audio(known["audio"], limits=limits, body_limit_bytes=room_bytes + BODY_RESERVE_BYTES)
    except InvalidInputError as error:
        message = f"known speaker {known.get('name', index)}: {error.message}"
        if isinstance(error, InputTooLargeError):
            message += "; a few seconds of the voice are enough"
        raise type(error)(message, param=f"known_speakers.{index}.audio") from None


def carried_words(result: object) -> dict[str, Any]:
    """Return the options `words` and, if known, `language` that carry on from an earlier `verbose_json` result.

    Raises InvalidInputError, which says what to ask for, when the result has no words with their times.
    """
    if not isinstance(result, Mapping):
        raise InvalidInputError(
            "an earlier result is the object that response_format verbose_json gives", param="words"
        )
    options: dict[str, Any] = {"words": [_as_given(word) for word in transcript_words(result)]}
    language = result.get("language")
    return options if language in (None, UNDETERMINED) else {**options, "language": language}


def _as_given(word: Word) -> dict[str, Any]:
    """Return a word without the speaker it had, and without what is the default: there may be many."""
    given: dict[str, Any] = {"word": word.text, "start": word.start, "end": word.end}
    if word.confidence is not None:
        given["confidence"] = word.confidence
    return given if word.space_before else {**given, "space_before": False}
