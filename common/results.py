"""What every endpoint answers, as JSON."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, Field, model_validator

from common.coverage import Coverage
from common.field_values import Seconds, check_order
from common.timeline import Turn


class StretchOut(BaseModel):
    """A stretch of the audio, in seconds, half-open."""

    start: Seconds
    end: Seconds

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        check_order(self.start, self.end)
        return self


class TurnOut(StretchOut):
    """One speaker's turn, in seconds."""

    speaker: Annotated[str, Field(min_length=1)]

    def turn(self) -> Turn:
        """Return it on the timeline."""
        return Turn(start=self.start, end=self.end, speaker=self.speaker)


class CoverageOut(BaseModel):
    """How much of the speech has words, in seconds."""

    speech_s: Annotated[
        float, Field(ge=0, allow_inf_nan=False, description="speech found by the diarization, else by the worker")
    ]
    repaired_s: Annotated[
        float, Field(ge=0, allow_inf_nan=False, description="had no words at first, got some when decoded alone")
    ]
    empty_s: Annotated[float, Field(ge=0, allow_inf_nan=False, description="length of `empty`")]
    empty: Annotated[list[StretchOut], Field(description="speech in which no word was heard")]
    failed: Annotated[list[StretchOut], Field(description="what the model could not decode at all")]

    def coverage(self) -> Coverage:
        """Return it as computed with."""
        return Coverage(
            speech_s=self.speech_s,
            repaired_s=self.repaired_s,
            empty=tuple((one.start, one.end) for one in self.empty),
            failed=tuple((one.start, one.end) for one in self.failed),
        )


class SpeakerMatch(BaseModel):
    """A voice that was recognised: the name it was recognised as, for the label it had."""

    speaker: str
    name: str
    similarity: Annotated[float, Field(description="cosine of both embeddings")]


class WorkerReport(BaseModel):
    """What every result says about how it was made."""

    model: str
    device: str
    timings: dict[str, Annotated[float, Field(ge=0, allow_inf_nan=False)]]
    warnings: list[str] = []
    request_id: Annotated[str | None, Field(description="the request's own, or that of its job")] = None


class DiarizationResult(WorkerReport):
    """Output of the diarization endpoint."""

    segments: Annotated[list[TurnOut], Field(description="all turns; those of different speakers may overlap")]
    exclusive_segments: Annotated[list[TurnOut], Field(description="the same with one speaker at a time")]
    num_speakers: int
    speakers: list[str]
    duration: Seconds
    speech_seconds: Annotated[
        dict[str, float] | None, Field(description="how long each speaker talks, by `segments`")
    ] = None
    overlap_seconds: Annotated[
        float | None, Field(description="how long several talk at once; counted once, however many they are")
    ] = None
    embeddings: dict[str, list[float]] | None = None
    speaker_matches: Annotated[
        list[SpeakerMatch] | None, Field(description="which known speakers were recognised, if any were given")
    ] = None


class WordOut(BaseModel):
    """One word; `speaker` is there, maybe null, when speakers were asked for."""

    word: str
    start: float
    end: float
    confidence: float | None = None
    speaker: str | None = None
    speaker_confidence: Annotated[
        float | None, Field(description="0 to 1: how clearly it is this speaker and no other, if asked for")
    ] = None
    overlap: Annotated[bool, Field(description="another speaker talks meanwhile; told if asked for")] = False
    space_before: bool = True


class SegmentOut(BaseModel):
    """A readable stretch of one speaker's words; OpenAI's other fields (`seek`, `tokens`, …) are there too."""

    id: int
    start: float
    end: float
    text: str
    speaker: str | None = None
    words: list[WordOut] | None = None


class VerboseTranscription(WorkerReport):
    """Output of transcription in `verbose_json`, shaped as OpenAI's."""

    task: str
    language: str
    duration: float
    text: str
    segments: list[SegmentOut]
    words: list[WordOut] | None = None
    num_speakers: int | None = None
    speakers: list[str] | None = None
    words_without_speaker: Annotated[
        int | None, Field(description="words too far from everybody's turns, if speakers were asked for")
    ] = None
    coverage: Annotated[CoverageOut | None, Field(description="how much of the speech has words, if known")] = None


class CostOut(BaseModel):
    """What a request cost, estimated by the price settings: workers that have none are left out."""

    currency: str
    total: float
    diarization: float | None = None
    transcription: float | None = None
    orchestrator: float | None = None


class OrchestrationResult(VerboseTranscription):
    """Output of the orchestrator in `verbose_json`.

    Of a request with `words`, `model` and `device` are the diarization's, and `models` names no other; where that
    failed and the request says `degrade`, they are `none`.
    """

    diarization: Annotated[Literal["completed", "failed", "not_requested"], Field(description="what became of it")]
    diarization_segments: Annotated[list[TurnOut] | None, Field(description="the turns that were merged in")] = None
    models: dict[str, str]
    embeddings: dict[str, list[float]] | None = None
    speaker_matches: list[SpeakerMatch] | None = None
    speaker_names: Annotated[
        dict[str, str] | None, Field(description="the names that labels were given, by the request or a language model")
    ] = None
    cost: Annotated[CostOut | None, Field(description="if a price is set: cold starts and execution, no idle time")] = (
        None
    )
