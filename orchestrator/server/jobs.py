"""A job of the web server: what was asked for, how far it is, how it ended."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal["transcription", "diarization"]
State = Literal["queued", "running", "completed", "failed", "cancelled"]
Step = Literal["queued", "preprocessing", "diarizing/transcribing", "aligning", "complete"]

FINAL: frozenset[State] = frozenset({"completed", "failed", "cancelled"})
LOCAL_OWNER = "local"  # of all jobs where no key is asked for


@dataclass(frozen=True, slots=True, kw_only=True)
class NewJob:
    """What a caller asks for.

    The recording is a file that is in the storage (`audio`, with its SHA-256 and size), or is yet to be fetched from
    `audio_url`. `fields` are those of the request that are given, without `audio`; `earlier` is the name of the stored
    result whose words get new speakers. An `ephemeral` job is erased with its answer.
    """

    id: str
    owner: str
    kind: Kind
    filename: str
    fields: Mapping[str, Any]
    request_id: str
    audio: str | None = None
    audio_sha256: str | None = None
    audio_bytes: int | None = None
    audio_url: str | None = field(default=None, repr=False)
    earlier: str | None = None
    ephemeral: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Job(NewJob):
    """A job as the store has it. Times are seconds since 1970; `progress` is 0 to 1; `error` is an error's envelope.

    `runner` holds it until `leased_until`; `attempts` counts how often it was begun. `result`, `peaks` are names of
    files in the storage. `cache_key` is the same for jobs of one owner that have one answer; `cached` tells that the
    answer was another job's.
    """

    state: State
    step: Step
    progress: float
    created_at: float
    started_at: float | None = None
    finished_at: float | None = None
    attempts: int = 0
    runner: str | None = None
    leased_until: float | None = None
    cancel_requested: bool = False
    error: Mapping[str, Any] | None = None
    result: str | None = None
    peaks: str | None = None
    duration_s: float | None = None
    cache_key: str | None = None
    cached: bool = False
    edits: str | None = None
    edits_version: int = 0

    @property
    def is_final(self) -> bool:
        """Tell whether nothing more will happen to it."""
        return self.state in FINAL


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPage:
    """Some jobs, newest first, and the cursor with which the next ones are asked for."""

    jobs: tuple[Job, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What a runner still holds after its leases were renewed, and which of these are to be cancelled."""

    job_ids: frozenset[str]
    to_cancel: frozenset[str]
