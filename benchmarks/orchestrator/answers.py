"""What workers answer that compute nothing: valid results of any length, after any pause."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

PostProgress = Callable[[dict[str, Any]], Awaitable[None]]
Behave = Callable[[str, Mapping[str, Any], PostProgress], Awaitable[dict[str, Any]]]

WORD_S = 0.5
REPORT: dict[str, Any] = {"model": "none", "device": "cpu", "timings": {"total_s": 0.0}, "warnings": []}


def diarization_answer(*, duration_s: float = 10.0, speakers: int = 2) -> dict[str, Any]:
    """Return a diarization in which the speakers talk one after the other, equally long, without a pause."""
    share_s = duration_s / speakers
    turns = [
        {
            "start": round(number * share_s, 3),
            "end": round((number + 1) * share_s, 3),
            "speaker": f"SPEAKER_{number:02}",
        }
        for number in range(speakers)
    ]
    names = [str(turn["speaker"]) for turn in turns]
    return {
        **REPORT,
        "segments": turns,
        "exclusive_segments": turns,
        "num_speakers": speakers,
        "speakers": names,
        "duration": duration_s,
    }


def transcription_answer(*, duration_s: float = 10.0) -> dict[str, Any]:
    """Return a transcript in `verbose_json` with a word in every half second."""
    words = [
        {
            "word": f"word{number}",
            "start": round(number * WORD_S, 3),
            "end": round(min((number + 1) * WORD_S, duration_s), 3),
            "confidence": 0.9,
        }
        for number in range(int(duration_s / WORD_S))
    ]
    text = " ".join(str(word["word"]) for word in words)
    segment = {"id": 0, "start": 0.0, "end": duration_s, "text": text, "words": words}
    return {
        **REPORT,
        "task": "transcribe",
        "language": "en",
        "duration": duration_s,
        "text": text,
        "segments": [segment],
        "words": words,
    }


def answering(answer: dict[str, Any], *, pause_s: Callable[[], float], steps: int = 0) -> Behave:
    """Return a worker's behaviour: after `pause_s()` seconds, with `steps` reports of progress in it, the answer."""

    async def behave(_: str, __: Mapping[str, Any], post_progress: PostProgress) -> dict[str, Any]:
        step_s = pause_s() / (steps + 1)
        for step in range(steps):
            await asyncio.sleep(step_s)
            await post_progress({"stage": "pretending", "progress": (step + 1) / (steps + 1)})
        await asyncio.sleep(step_s)
        return answer

    return behave
