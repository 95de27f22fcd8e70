"""A deterministic endpoint for unit tests: answers after a delay, fails, or waits for ever."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from common.progress import OnProgress
from orchestrator.endpoints import PLAIN, JobOptions, JobResult


@dataclass
class FakeEndpoint:
    """Answers every call the same, or the second and later ones as the endpoint `then` does."""

    name: str
    output: Any = None
    error: Exception | None = None
    delay_s: float = 0.0
    progress: tuple[float, ...] = ()
    inputs: list[dict[str, Any]] = field(default_factory=list)
    deadlines: list[float] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    cancelled: int = 0
    finished: int = 0
    then: "FakeEndpoint | None" = None

    async def run(
        self,
        job_input: dict[str, Any],
        *,
        deadline_s: float,
        on_progress: OnProgress | None = None,
        options: JobOptions = PLAIN,
    ) -> JobResult:
        if self.inputs and self.then:
            return await self.then.run(job_input, deadline_s=deadline_s, on_progress=on_progress, options=options)
        self.inputs.append(job_input)
        self.deadlines.append(deadline_s)
        self.keys.append(options.idempotency_key)
        try:
            for fraction in self.progress:
                if on_progress:
                    on_progress({"stage": self.name, "progress": fraction})
                await asyncio.sleep(0)
            await asyncio.sleep(self.delay_s)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        self.finished += 1
        if self.error:
            raise self.error
        return JobResult(job_id=f"{self.name}-1", output=self.output, queue_s=0.25, execution_s=0.5)


DIARIZED = {
    "segments": [
        {"start": 0.0, "end": 1.0, "speaker": "SPEAKER_00"},
        {"start": 1.0, "end": 2.0, "speaker": "SPEAKER_01"},
    ],
    "exclusive_segments": [],
    "num_speakers": 2,
    "speakers": ["SPEAKER_00", "SPEAKER_01"],
    "duration": 2.0,
    "model": "fake diarization",
    "device": "cpu",
    "timings": {},
    "warnings": [],
}
HEARD = {
    "task": "transcribe",
    "language": "en",
    "duration": 2.0,
    "text": "Hello there. Hi.",
    "segments": [],
    "words": [
        {"word": "Hello", "start": 0.1, "end": 0.4},
        {"word": "there.", "start": 0.5, "end": 0.9},
        {"word": "Hi.", "start": 1.2, "end": 1.5},
    ],
    "model": "fake transcription",
    "device": "cpu",
    "timings": {},
    "warnings": [],
}
