"""What a caller has on this machine into a request: the recording, the voices of known speakers, earlier words."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common.audio.limits import FURTHER_AUDIO_S, AudioLimits
from common.checks import Check, unchecked
from common.errors import AudioUrlError, InputTooLargeError, InvalidInputError
from common.field_values import LANGUAGE
from common.formats import transcript_words
from common.timeline import UNDETERMINED, Word
from orchestrator.endpoints import RUN_BODY_BYTES
from orchestrator.upload import BODY_RESERVE_BYTES, Uploads, is_remote, request_audio

Audio = str | Path | bytes
URL_BYTES = 4_000  # what is left at least for the URL of an uploaded recording
VOICES_SHARE = 0.5  # of the room beside a recording, at most, for the voices of known speakers
FEWER_WORDS = (
    "most of the request are its words: unset ORCHESTRATOR_ENDPOINT_ID, so that they are merged on this machine, "
    "or put the recordings where they have http(s) URLs and pass those"
)


def with_recordings(
    audio: Audio,
    options: Mapping[str, Any],
    *,
    limits: AudioLimits,
    unsent: Sequence[str] = (),
    uploads: Uploads | None = None,
    check: Check = unchecked,
) -> dict[str, Any]:
    """Return `options` and the field `audio`, local recordings embedded so that all fit one request together.

    Recordings are a path, an http(s) URL, a data URI or bytes, also those of `known_speakers`. Options named in
    `unsent` take no room. What does not fit is put where `uploads` puts it, if there is a storage: keep `uploads` open
    until the job has ended. Blocks; `check` is that of `request_audio`. Raises InputTooLargeError for what does not
    fit, else as `request_audio`.
    """
    room = _Room({name: _size(name, options[name]) for name in options if name not in unsent}, uploads, check)
    remote = isinstance(audio, str) and is_remote(audio)
    room.taken_bytes["audio"] = _size("audio", audio if remote else "")
    fields = {**options}
    if isinstance(options.get("known_speakers"), (list, tuple)):
        share = 1.0 if remote else VOICES_SHARE
        fields["known_speakers"] = _with_voices(options["known_speakers"], room, limits=limits, share=share)
    if remote:
        return {**fields, "audio": audio}
    room.check()
    try:
        fields["audio"] = request_audio(
            audio, limits=limits, body_limit_bytes=room.left_bytes(), uploads=uploads, check=check
        )
    except InputTooLargeError as error:
        raise room.blamed(error) from None
    return fields


@dataclass(frozen=True, slots=True)
class _Room:
    """What a request's fields take of its bytes, by name, and what is left for local recordings."""

    taken_bytes: dict[str, int]
    uploads: Uploads | None = None
    wanted: Check = unchecked

    def left_bytes(self) -> int:
        return RUN_BODY_BYTES - sum(self.taken_bytes.values())

    def check(self) -> None:
        """Raise InputTooLargeError where nothing is left."""
        uploading = self.uploads is not None and self.uploads.configured
        if self.left_bytes() >= (URL_BYTES if uploading else BODY_RESERVE_BYTES):
            return
        taken_mb, most_mb = sum(self.taken_bytes.values()) / 1e6, RUN_BODY_BYTES / 1e6
        size = f"without its local recordings the request has {taken_mb:.1f} MB, of at most {most_mb:.0f}"
        fix = "put the recordings where they have http(s) URLs and pass those"
        raise self.blamed(InputTooLargeError(f"{size}; {fix}", param="audio"))

    def blamed(self, error: InputTooLargeError) -> InputTooLargeError:
        """Return `error`, which blames a recording, or one that blames the words where these are most of the bytes."""
        if self.taken_bytes.get("words", 0) < RUN_BODY_BYTES / 2:
            return error
        return InputTooLargeError(f"{error.message.partition(';')[0]}; {FEWER_WORDS}", param="words")


def _with_voices(given: Sequence[Any], room: _Room, *, limits: AudioLimits, share: float) -> list[Any]:
    """Return known speakers, local recordings embedded in `share` of the room that is left.

    What is no known speaker is left for the contract to refuse.
    """
    local = [index for index, known in enumerate(given) if isinstance(known, Mapping) and _is_local(known)]
    voices = [{**known, "audio": ""} if index in local else known for index, known in enumerate(given)]
    room.taken_bytes["known_speakers"] = _size("known_speakers", voices)
    if local:
        room.check()
        room_bytes = int((room.left_bytes() - BODY_RESERVE_BYTES) * share / len(local))
        for index in local:
            voices[index]["audio"] = _voice(given[index], index, limits, room_bytes, room)
        room.taken_bytes["known_speakers"] = _size("known_speakers", voices)
    return voices


def _voice(known: Mapping[str, Any], index: int, limits: AudioLimits, room_bytes: int, room: _Room) -> str:
    try:
        return request_audio(
            known["audio"],
            limits=limits,
            body_limit_bytes=room_bytes + BODY_RESERVE_BYTES,
            first_s=FURTHER_AUDIO_S,
            uploads=room.uploads,
            check=room.wanted,
        )
    except InvalidInputError as error:
        message = f"known speaker {known.get('name', index)}: {error.message}"
        if isinstance(error, InputTooLargeError):
            message += "; a few seconds of the voice are enough"
        raise type(error)(message, param=f"known_speakers.{index}.audio") from None


def _size(name: str, value: object) -> int:
    sent = [_as_sent(word) for word in value] if name == "words" and isinstance(value, list) else value
    return len(json.dumps({name: sent}, default=str, skipkeys=True))


def _as_sent(word: object) -> object:
    """Return a word whose numbers are as the contract has them: 1 is sent as 1.0."""
    if not isinstance(word, Mapping):
        return word
    return {key: float(value) if type(value) is int else value for key, value in word.items()}


def _is_local(known: Mapping[str, Any]) -> bool:
    audio = known.get("audio")
    if not isinstance(audio, str):
        return isinstance(audio, (Path, bytes))
    try:
        return not is_remote(audio)
    except AudioUrlError:
        return True  # and refused by its name where it is read


def carried_words(result: object) -> dict[str, Any]:
    """Return the options `words` and, if known, `language` that carry on from an earlier `verbose_json` result.

    A language that is no code (OpenAI writes `english`) is left out, and so is a confidence that is none. Raises
    InvalidInputError, which says what to ask for, when the result has no words with their times.
    """
    if not isinstance(result, Mapping):
        raise InvalidInputError(
            "an earlier result is the object that response_format verbose_json gives", param="words"
        )
    options: dict[str, Any] = {"words": [_as_given(word) for word in transcript_words(result)]}
    language = result.get("language")
    known = isinstance(language, str) and re.fullmatch(LANGUAGE, language) and language != UNDETERMINED
    return {**options, "language": language} if known else options


def _as_given(word: Word) -> dict[str, Any]:
    """Return a word without the speaker it had, and without what is the default: there may be many."""
    given: dict[str, Any] = {"word": word.text, "start": word.start, "end": word.end}
    if word.confidence is not None and 0 <= word.confidence <= 1:
        given["confidence"] = word.confidence
    return given if word.space_before else {**given, "space_before": False}
