"""pyannote's own sample: 30 s, two real speakers, with reference turns and words."""

import importlib.util
import re
from pathlib import Path

import numpy as np
import soundfile

FOLDER = Path(importlib.util.find_spec("pyannote.audio").submodule_search_locations[0]) / "sample"
DURATION_S = 30.0


def sample_audio() -> np.ndarray:
    samples, rate = soundfile.read(FOLDER / "sample.wav", dtype="float32")
    assert (rate, len(samples)) == (16_000, 480_000)
    return samples


def excerpt(first_s: float, last_s: float) -> np.ndarray:
    return sample_audio()[round(first_s * 16_000) : round(last_s * 16_000)]


def reference_turns() -> list[tuple[float, float, str]]:
    fields = [line.split() for line in (FOLDER / "sample.rttm").read_text().splitlines()]
    return [(float(line[3]), float(line[3]) + float(line[4]), line[7]) for line in fields]


def reference_text() -> str:
    lines = (FOLDER / "sample.stm").read_text().splitlines()
    return normalised(" ".join(line.split(maxsplit=5)[5] for line in lines))


def normalised(text: str) -> str:
    """Lower case, letters, digits and apostrophes only."""
    return " ".join(re.findall(r"[a-z0-9']+", text.lower()))
