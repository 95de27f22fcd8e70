"""`python -m benchmarks.endurance`: hours of speech in one job: peak memory, silence between progress, time to cancel.

The last line of the output is JSON. QUICK=1 takes less than a minute.
"""

import json
import os
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil

from common.audio.limits import SAMPLE_RATE
from common.errors import JobCancelledError
from common.settings import load_settings
from handlers.device import let_others_compute
from handlers.transcription.engine import DecodingOptions, TranscriptionEngine
from handlers.transcription.handler import find_engine
from tests.fixtures.tiny_parakeet.long_speech import compose

MODEL = Path(__file__).parents[1] / "tests" / "fixtures" / "tiny_parakeet" / "tiny-parakeet-tdt.nemo"
HOURS, QUICK_HOURS = 3.0, 0.05
CANCELS = (0.02, 0.3, 0.8)  # of the job's time, when it is cancelled
MEBIBYTE = 2**20


@dataclass(slots=True)
class Watch:
    """A job's tick, and a clock between its calls; raises once it is told to cancel."""

    last: float = field(default_factory=time.monotonic)
    longest_gap_s: float = 0.0
    cancelled: threading.Event = field(default_factory=threading.Event)

    def tick(self, stage: str, fraction: float) -> None:
        """See common.progress.Tick."""
        now = time.monotonic()
        self.longest_gap_s = max(self.longest_gap_s, now - self.last)
        self.last = now
        if self.cancelled.is_set():
            raise JobCancelledError(f"cancelled at {fraction:.2f} of {stage}")


@dataclass(slots=True)
class PeakMemory:
    """The most resident memory of this process while the context lasts, looked at twenty times a second."""

    peak_bytes: int = 0
    done: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> "PeakMemory":
        threading.Thread(target=self._watch, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.done.set()

    def _watch(self) -> None:
        while not self.done.wait(0.05):
            self.peak_bytes = max(self.peak_bytes, resident_bytes())


def resident_bytes() -> int:
    """Return this process' resident memory now."""
    return int(psutil.Process().memory_info().rss)


def cancel_s(engine: TranscriptionEngine, samples: np.ndarray, *, after_s: float) -> float:
    """Return how long a job that is cancelled `after_s` seconds from its start goes on."""
    watch = Watch()
    timer = threading.Timer(after_s, watch.cancelled.set)
    timer.start()
    started = time.monotonic()
    try:
        engine.transcribe(samples, options=DecodingOptions(), tick=watch.tick)
    except JobCancelledError:
        return time.monotonic() - started - after_s
    raise RuntimeError("the job ended before it was cancelled")


def main() -> None:
    """Print one line of JSON."""
    let_others_compute()
    hours = QUICK_HOURS if os.environ.get("QUICK", "").strip("0") else HOURS
    settings = load_settings({"MODEL_ID": str(MODEL), **os.environ}).transcription
    engine = find_engine(settings)()
    block = compose(total_s=min(hours * 3600, 1800.0)).samples
    loaded = resident_bytes()
    samples = np.resize(block, int(hours * 3600 * SAMPLE_RATE))
    watch = Watch()
    started = time.monotonic()
    with PeakMemory() as memory:
        words = engine.transcribe(samples, options=DecodingOptions(), tick=watch.tick).words
    watch.tick("the end", 1.0)
    took_s = time.monotonic() - started
    figures = {
        "audio_h": hours,
        "words": len(words),
        "rtfx": round(hours * 3600 / took_s, 1),
        "peak_above_model_mib": round((memory.peak_bytes - loaded) / MEBIBYTE),
        "audio_mib": round(samples.nbytes / MEBIBYTE),
        "longest_silence_of_progress_s": round(watch.longest_gap_s, 2),
        "cancel_s": [round(cancel_s(engine, samples, after_s=share * took_s), 2) for share in CANCELS],
        "device": engine.device,
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
