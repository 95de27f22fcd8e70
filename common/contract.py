"""What every endpoint may be asked, as JSON: checked, unknown keys refused by name."""

from typing import Annotated, Literal, Self, TypeVar

from pydantic import (
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails

from common.errors import InvalidInputError, UnknownFieldError
from common.field_values import (
    IDEMPOTENCY_KEY,
    LANGUAGE,
    MAX_SPEAKERS,
    REQUEST_ID,
    Hotword,
    Seconds,
    Share,
    SpeakerBound,
    SpeakerLabel,
    SpeakerName,
    check_order,
    check_speakers,
)
from common.timeline import Turn

ResponseFormat = Literal["json", "text", "verbose_json", "diarized_json", "srt", "vtt", "tsv", "rttm", "stm", "ctm"]


class Request(BaseModel):
    """What all requests share: strict types, no unknown keys, no NaN."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class SpanIn(Request):
    """A stretch of the audio, in seconds, half-open."""

    start: Seconds
    end: Seconds

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        check_order(self.start, self.end)
        return self


class TurnIn(SpanIn):
    """A diarization segment as the diarization endpoint returns it."""

    speaker: SpeakerLabel

    def turn(self) -> Turn:
        """Return it on the timeline."""
        return Turn(start=self.start, end=self.end, speaker=self.speaker)


class WordIn(SpanIn):
    """A word as `verbose_json` returns it; the speaker it had there is found anew."""

    word: Annotated[str, Field(min_length=1, max_length=1000)]
    confidence: Share | None = None
    space_before: bool = True
    speaker: str | None = None
    speaker_confidence: Share | None = None
    overlap: bool = False


class KnownSpeaker(Request):
    """Somebody who may speak in the audio, by a recording of the voice or by its embedding."""

    name: SpeakerName
    audio: Annotated[
        str | None, Field(min_length=1, description="the voice alone: http(s) URL, data URI, or base64")
    ] = None
    embedding: Annotated[
        list[float] | None,
        Field(min_length=2, max_length=4096, description="from `embeddings` of an earlier result, same model"),
    ] = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.audio is None) == (self.embedding is None):
            raise ValueError("give either audio or embedding")
        return self


class SubtitleOptions(Request):
    """How cues of `srt` and `vtt` are laid out."""

    max_line_chars: Annotated[int, Field(ge=10, le=200, description="characters in a line")] = 42
    max_lines: Annotated[int, Field(ge=1, le=4, description="lines in a cue")] = 2
    max_cue_s: Annotated[float, Field(ge=1, le=30, description="seconds a cue may last")] = 7.0
    speaker_labels: Annotated[bool, Field(description="show who speaks")] = True


class AudioRequest(Request):
    """The audio itself, the one required field of every request."""

    audio: Annotated[
        str,
        Field(
            min_length=1,
            validation_alias=AliasChoices("audio", "audio_base64"),
            description="http(s) URL, data URI, or base64 (alias: `audio_base64`)",
        ),
    ]
    request_id: Annotated[
        str | None,
        Field(pattern=REQUEST_ID, description="stands in every worker's log lines and in the answer; made if left out"),
    ] = None


class SpeakerCountFields(Request):
    """What is known of the number of speakers."""

    num_speakers: Annotated[SpeakerBound | None, Field(description="exact number of speakers, if known")] = None
    min_speakers: Annotated[SpeakerBound | None, Field(description="at least this many speakers")] = None
    max_speakers: Annotated[SpeakerBound | None, Field(description="at most this many speakers")] = None

    @model_validator(mode="after")
    def _consistent_bounds(self) -> Self:
        if self.num_speakers is not None and (self.min_speakers is not None or self.max_speakers is not None):
            raise ValueError("give num_speakers, or min_speakers/max_speakers, not both")
        if (self.min_speakers or 1) > (self.max_speakers or MAX_SPEAKERS):
            raise ValueError("min_speakers is above max_speakers")
        return self


class DiarizationFields(SpeakerCountFields):
    """What a caller may ask of diarization."""

    return_embeddings: Annotated[bool, Field(description="add one embedding vector per speaker")] = False
    known_speakers: Annotated[
        list[KnownSpeaker],
        Field(max_length=100, description="speakers called by their names if their voices are heard"),
    ] = []
    known_speaker_threshold: Annotated[
        float | None,
        Field(ge=-1, le=1, description="least cosine similarity of a known voice; the model's own if left out"),
    ] = None

    @model_validator(mode="after")
    def _voices_to_compare(self) -> Self:
        if self.known_speaker_threshold is not None and not self.known_speakers:
            raise InvalidInputError(
                "known_speaker_threshold needs known_speakers: it is how alike their voices must be",
                param="known_speaker_threshold",
            )
        return self


class TranscriptionFields(Request):
    """What a caller may ask of transcription."""

    response_format: Annotated[ResponseFormat, Field(description="shape of the answer")] = "json"
    timestamps: Annotated[bool, Field(description="give the times of single words (`verbose_json`)")] = True
    language: Annotated[str | None, Field(pattern=LANGUAGE, description="language code, found if left out")] = None
    chunk_duration: Annotated[
        float | None, Field(ge=5, le=3600, description="longest stretch decoded at once, in seconds; above 20 as 20")
    ] = None
    hotwords: Annotated[
        list[Hotword],
        Field(
            max_length=500,
            description="names and terms to expect, at most 500 of at most 100 characters; "
            "an engine that cannot listen for them answers `invalid_input`",
        ),
    ] = []
    subtitles: Annotated[SubtitleOptions | None, Field(description="layout of `srt` and `vtt` cues")] = None
    speaker_names: Annotated[
        dict[SpeakerLabel, SpeakerName],
        Field(
            max_length=100,
            description="names to give to speaker labels, also to the label that a recognised speaker had; "
            "two labels with one name are one speaker, which repairs a person who was split",
        ),
    ] = {}
    speaker_confidence: Annotated[
        bool,
        Field(description="add `speaker_confidence` and, where two speak at once, `overlap` to words (`verbose_json`)"),
    ] = False


class DiarizationRequest(AudioRequest, DiarizationFields):
    """Input of the diarization endpoint."""

    response_format: Annotated[Literal["json", "rttm"], Field(description="shape of the answer")] = "json"


class TranscriptionRequest(AudioRequest, TranscriptionFields):
    """Input of the transcription endpoint."""

    diarization_segments: Annotated[
        list[TurnIn] | None, Field(description="turns from the diarization endpoint, merged with the words")
    ] = None
    exclusive_segments: Annotated[
        list[TurnIn] | None,
        Field(description="the same from `exclusive_segments`, which tells who is heard in overlap"),
    ] = None
    spans: Annotated[list[SpanIn] | None, Field(description="decode only these stretches")] = None

    @model_validator(mode="after")
    def _few_speakers(self) -> Self:
        for param in ("diarization_segments", "exclusive_segments"):
            check_speakers({turn.speaker for turn in getattr(self, param) or ()}, param=param)
        return self

    @model_validator(mode="after")
    def _turns_to_merge(self) -> Self:
        if self.exclusive_segments is not None and self.diarization_segments is None:
            raise InvalidInputError("exclusive_segments needs diarization_segments", param="exclusive_segments")
        return self


class OrchestrationRequest(AudioRequest, DiarizationFields, TranscriptionFields):
    """Input of the orchestrator and of the combined worker."""

    diarize: Annotated[bool, Field(description="find out who speaks; false gives words only")] = True
    on_diarization_failure: Annotated[
        Literal["fail", "degrade"], Field(description="`degrade` returns the words without speakers")
    ] = "fail"
    repair: Annotated[
        bool, Field(description="decode speech of the diarization without words once more; needs `diarize`")
    ] = True
    words: Annotated[
        list[WordIn] | None,
        Field(max_length=200_000, description="words of an earlier result: only the speakers are found anew"),
    ] = None
    name_speakers: Annotated[
        bool,
        Field(description="ask a language model for the names by which speakers are called; needs SPEAKER_NAMING_URL"),
    ] = False
    idempotency_key: Annotated[
        str | None,
        Field(
            pattern=IDEMPOTENCY_KEY,
            max_length=200,
            description="requests with one key are one job, also at the same time; with another body it is refused",
        ),
    ] = None
    webhook: Annotated[
        str | None,
        Field(
            pattern="^https?://",
            max_length=2000,
            description="http(s) URL to which the final state is posted, signed with WEBHOOK_SECRET",
        ),
    ] = None

    @model_validator(mode="after")
    def _nothing_in_vain(self) -> Self:
        """Raise InvalidInputError, which names the field, for what has no meaning without speakers."""
        given = {"known_speakers": self.known_speakers, "name_speakers": self.name_speakers}
        for param, value in given.items():
            if value and not self.diarize:
                raise InvalidInputError(f"{param} needs diarize: without it there are no speakers", param=param)
        if self.words is not None and not self.diarize:
            reason = "words of an earlier result are given to find their speakers anew"
            raise InvalidInputError(f"{reason}; leave diarize out, or words", param="words")
        return self


RequestT = TypeVar("RequestT", bound=Request)


def parse_request(request_type: type[RequestT], raw: object) -> RequestT:
    """Check a job's `input` against the contract.

    Raises UnknownFieldError naming the key and InvalidInputError naming field and reason.
    """
    if not isinstance(raw, dict):
        raise InvalidInputError('the request needs an object under "input", e.g. {"input": {"audio": "https://…"}}')
    if "audio" in raw and "audio_base64" in raw:
        raise InvalidInputError("give either audio or audio_base64, not both", param="audio_base64")
    try:
        return request_type.model_validate(raw)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        raise _input_error(request_type, first) from None


def _input_error(request_type: type[Request], detail: ErrorDetails) -> InvalidInputError:
    param = ".".join(str(part) for part in detail["loc"]) or None
    if detail["type"] == "extra_forbidden":
        known = ", ".join(sorted(request_type.model_fields))
        return UnknownFieldError(f"unknown field {param!r}; known fields: {known}", param=param)
    if detail["type"] == "missing":
        return InvalidInputError(f"the field {param!r} is missing", param=param)
    reason = detail["msg"].removeprefix("Value error, ")
    return InvalidInputError(f"{param}: {reason}" if param else reason, param=param)
