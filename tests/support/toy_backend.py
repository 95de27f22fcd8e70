"""A backend that answers at once, later, or not, as a test tells it; it counts what it was asked to do."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field

WORDS = [
    {"word": "Hello", "start": 0.5, "end": 0.9, "confidence": 0.9, "speaker": "SPEAKER_00"},
    {"word": "there.", "start": 0.9, "end": 1.3, "confidence": 0.9, "speaker": "SPEAKER_00"},
    {"word": "Hi.", "start": 2.0, "end": 2.4, "confidence": 0.8, "speaker": "SPEAKER_01"},
]
TURNS = [
    {"start": 0.4, "end": 1.4, "speaker": "SPEAKER_00"},
    {"start": 1.9, "end": 2.5, "speaker": "SPEAKER_01"},
]
SEGMENTS = [
    {"id": 0, "start": 0.5, "end": 1.3, "text": "Hello there.", "speaker": "SPEAKER_00", "words": WORDS[:2]},
    {"id": 1, "start": 2.0, "end": 2.4, "text": "Hi.", "speaker": "SPEAKER_01", "words": WORDS[2:]},
]
REPORT = {"model": "toy", "device": "cpu", "warnings": [], "timings": {"total_s": 0.01}}
TRANSCRIPTION = {
    **REPORT,
    "task": "transcribe",
    "language": "en",
    "duration": 3.0,
    "text": "Hello there. Hi.",
    "segments": SEGMENTS,
    "words": WORDS,
    "num_speakers": 2,
    "speakers": ["SPEAKER_00", "SPEAKER_01"],
    "words_without_speaker": 0,
    "diarization": "completed",
    "diarization_segments": TURNS,
    "models": {"transcription": "toy", "diarization": "toy"},
}
DIARIZATION = {
    **REPORT,
    "segments": TURNS,
    "exclusive_segments": TURNS,
    "num_speakers": 2,
    "speakers": ["SPEAKER_00", "SPEAKER_01"],
    "duration": 3.0,
    "speech_seconds": {"SPEAKER_00": 1.0, "SPEAKER_01": 0.6},
    "overlap_seconds": 0.0,
}


@dataclass
class ToyBackend:
    """`failures` are raised, one for each run, before anything else; a run goes on when `going` is set."""

    failures: list = field(default_factory=list)
    going: asyncio.Event = field(default_factory=asyncio.Event)
    models: dict = field(default_factory=lambda: {"diarization": "toy", "transcription": "toy"})
    identity: str = "toy"
    begun: Counter = field(default_factory=Counter)
    ended: Counter = field(default_factory=Counter)
    running: int = 0
    most_running: int = 0
    earlier: dict = field(default_factory=dict)

    def __post_init__(self):
        self.going.set()

    async def run(self, job, *, earlier, on_progress, on_found, deadline_s):
        self.begun[job.id] += 1
        self.earlier[job.id] = earlier
        if self.failures:
            raise self.failures.pop(0)
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            on_progress({"stage": "transcription · diarization", "progress": 0.5})
            on_found("diarization", DIARIZATION)
            on_found("transcription", {**TRANSCRIPTION, "segments": [{**one, "speaker": None} for one in SEGMENTS]})
            await self.going.wait()
            on_progress({"stage": "transcription · diarization", "progress": 1.0})
        finally:
            self.running -= 1
        self.ended[job.id] += 1
        return DIARIZATION if job.kind == "diarization" else TRANSCRIPTION

    async def health(self):
        return {"toy": {"workers_ready": 1}}
