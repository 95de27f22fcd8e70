"""Recordings as several benchmarks read them: samples, and who speaks when."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile
import soxr

from common.audio.blocks import Samples
from common.audio.limits import SAMPLE_RATE
from common.timeline import Turn

RTTM_SPEAKER = "SPEAKER"


def read_samples(path: Path) -> Samples:
    """Return a file's channels mixed, at 16 kHz."""
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    return np.ascontiguousarray(soxr.resample(samples.mean(axis=1), rate, SAMPLE_RATE), np.float32)


def rttm_turns(path: Path) -> Iterator[Turn]:
    """Yield the turns of an RTTM file in its order."""
    for line in path.read_text(encoding="utf-8").splitlines():
        fields = line.split()
        if fields and fields[0] == RTTM_SPEAKER:
            start, length = float(fields[3]), float(fields[4])
            yield Turn(start, start + length, fields[7])
