"""Recordings of which no two have the same content, and one that is large."""

import io
from collections.abc import Iterator, Sequence
from itertools import cycle, islice
from pathlib import Path

import numpy as np
import soundfile

from benchmarks.recordings import read_samples
from common.audio.blocks import Samples
from common.audio.limits import SAMPLE_RATE
from orchestrator.demo import sample_folder

FOLDERS = ("A_diar/audio", "C_spk/built")
SHIFT_S = 1.7  # between two recordings that are cut from one
WAV_HEADER_BYTES = 44


def recordings(data: Path | None, *, count: int, seconds: float) -> list[bytes]:
    """Return FLAC files of at most so many seconds, from `data`'s recordings or from pyannote.audio's sample."""
    paths = sorted(found(data)) if data is not None else [sample_folder() / "sample.wav"]
    sources = [read_samples(path) for path in paths]
    return [flac(one) for one in cuts(sources, count=count, samples=round(seconds * SAMPLE_RATE))]


def found(data: Path) -> Iterator[Path]:
    """Yield the recordings in the folders that development data has, or else in `data` itself."""
    folders = [data / name for name in FOLDERS if (data / name).is_dir()] or [data]
    for folder in folders:
        yield from (path for path in folder.iterdir() if path.suffix in {".flac", ".wav"})


def cuts(sources: Sequence[Samples], *, count: int, samples: int) -> Iterator[Samples]:
    """Yield `count` recordings; each time round, all sources begin later, and their beginnings come last."""
    for number, source in enumerate(islice(cycle(sources), count)):
        shift_s = SHIFT_S * (number // len(sources))
        yield np.roll(source, -round(shift_s * SAMPLE_RATE))[:samples]


def flac(samples: Samples) -> bytes:
    """Return mono 16 kHz samples as a file."""
    file = io.BytesIO()
    soundfile.write(file, samples, SAMPLE_RATE, format="FLAC")
    return file.getvalue()


def large_wav(*, size_bytes: int, piece_bytes: int = 2**20) -> Iterator[bytes]:
    """Yield a WAV file of exactly so many bytes piece by piece: CD quality, all of it one second of noise."""
    header = io.BytesIO()
    soundfile.write(header, np.zeros((0, 2), np.int16), 44_100, format="WAV", subtype="PCM_16")
    start = bytearray(header.getvalue()[:WAV_HEADER_BYTES])
    start[4:8] = (size_bytes - 8).to_bytes(4, "little")
    start[40:44] = (size_bytes - WAV_HEADER_BYTES).to_bytes(4, "little")
    noise = np.random.default_rng(1).integers(-3000, 3000, piece_bytes // 2, np.int16).tobytes()
    yield bytes(start)
    for left in range(size_bytes - WAV_HEADER_BYTES, 0, -piece_bytes):
        yield noise[:left]
