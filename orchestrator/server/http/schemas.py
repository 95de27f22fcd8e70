"""What the routes answer, as the OpenAPI document tells it."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from orchestrator.server.jobs import Kind, State, Step

Moment = Annotated[str, Field(description="ISO 8601, UTC", examples=["2026-01-31T12:00:00.000Z"])]


class ErrorDetail(BaseModel):
    """What is wrong, and whether asking again may help."""

    model_config = ConfigDict(extra="allow")

    code: Annotated[str, Field(examples=["invalid_input"])]
    message: str
    param: str | None
    retryable: bool


class RequestError(ErrorDetail):
    """The same of one request."""

    request_id: str | None


class ErrorAnswer(BaseModel):
    """Every error."""

    error: RequestError


class Accepted(BaseModel):
    """A job that waits."""

    job_id: str
    status: State
    filename: str
    position: Annotated[int | None, Field(description="1 for the job that is next")]


class JobStatus(BaseModel):
    """How far a job is."""

    job_id: str
    kind: Kind
    status: State
    progress: Annotated[int, Field(ge=0, le=100)]
    step: Step
    position: Annotated[int | None, Field(description="of a job that waits: 1 for the one that is next")]
    eta_s: Annotated[float | None, Field(description="seconds until it should be done, where that can be told")]
    error: ErrorDetail | None
    filename: str
    created_at: Moment
    started_at: Moment | None
    finished_at: Moment | None
    duration: Annotated[float | None, Field(description="of the recording, in seconds")]
    cached: Annotated[bool, Field(description="the same was computed before")]
    edits_version: int
    has_audio: Annotated[bool, Field(description="the recording can be played, and its speakers found anew")]


class JobList(BaseModel):
    """Some of the caller's jobs, newest first."""

    jobs: list[JobStatus]
    next_cursor: Annotated[str | None, Field(description="for the next page; null on the last")]


class Result(BaseModel):
    """A job's result: `verbose_json` and more; of a diarization `timeline`, `speakers` and `num_speakers`."""

    model_config = ConfigDict(extra="allow")

    success: bool
    job_id: str
    filename: str
    duration: float


class Edits(BaseModel):
    """A transcript as its reader corrected it."""

    version: Annotated[int, Field(description="0: never edited")]
    document: dict[str, Any] | None


class EditsVersion(BaseModel):
    """The version that edits were saved as."""

    version: int


class Peaks(BaseModel):
    """The loudness of a recording, for drawing it."""

    model_config = ConfigDict(extra="allow")

    duration: Annotated[float, Field(description="seconds")]
    per_second: float
    peaks: Annotated[list[int], Field(description="0 to 255")]


class Session(BaseModel):
    """What the page needs to know; models and version are for those who may use the server."""

    key_required: bool
    signed_in: bool
    name: Annotated[str | None, Field(description="of the API key")]
    max_upload_bytes: int
    version: str | None
    models: dict[str, str] | None
    own_workers: Annotated[bool | None, Field(description="false where recordings are handed to RunPod")]


class Gpu(BaseModel):
    """A GPU and its memory in bytes."""

    name: str
    memory_total: int
    memory_used: int


class Health(BaseModel):
    """How the server is; all but `status` is for those who may use it."""

    status: Literal["ok"]
    version: str | None = None
    device: str | None = None
    gpus: list[Gpu] | None = None
    torch: Annotated[str | None, Field(description="installed version, null where there is none")] = None
    models: dict[str, str] | None = None
    workers: dict[str, Any] | None = None
    active_jobs: int | None = None
    queued_jobs: int | None = None
