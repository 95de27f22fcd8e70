"""Where someone speaks, by Silero's voice activity detector (https://github.com/snakers4/silero-vad)."""

import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Event

import numpy as np
from numpy.typing import NDArray

from common.audio.limits import SAMPLE_RATE
from common.coverage import Span
from common.loudness import runs

FRAME_SAMPLES = 512  # the detector's
FRAME_S = FRAME_SAMPLES / SAMPLE_RATE
BLOCK_SAMPLES = 1_000 * FRAME_SAMPLES  # half a minute; each is judged by itself, on a thread of its own
MAX_THREADS = 8
SPEECH, STILL_SPEECH = 0.5, 0.35  # probabilities with which speech begins and goes on, Silero's defaults
POSSIBLE_SPEECH = 0.05  # below, no voice however faint; a room's hiss stays below 0.02, loud noise does not
WARM_UP_SAMPLES = 32 * FRAME_SAMPLES  # heard before a block: the detector's first frames are less sure
SHORTEST_S = 0.2  # of speech, and of the pauses between speech
_NOTHING = np.zeros(0, np.float32)


@dataclass(frozen=True, slots=True)
class Speech:
    """Stretches (s), in order and disjoint, in which someone speaks, and in which someone just may."""

    certain: tuple[Span, ...]
    possible: tuple[Span, ...]


def find_speech(samples: NDArray[np.float32], stop: Event) -> Speech:
    """Return where there is speech in mono 16 kHz `samples`; once `stop` is set, soon and without having looked."""
    blocks = range(0, len(samples), BLOCK_SAMPLES)
    with ThreadPoolExecutor(min(MAX_THREADS, os.cpu_count() or 1)) as pool:
        found = pool.map(lambda first: _NOTHING if stop.is_set() else _probabilities(samples, first), blocks)
        probabilities = np.concatenate([_NOTHING, *found])
    duration_s = len(samples) / SAMPLE_RATE
    certain = (
        (first, last)
        for first, last in _closed(runs(probabilities >= STILL_SPEECH))
        if last - first >= SHORTEST_S / FRAME_S and probabilities[first:last].max() >= SPEECH
    )
    return Speech(
        certain=_in_seconds(certain, duration_s),
        possible=_in_seconds(runs(probabilities >= POSSIBLE_SPEECH), duration_s),
    )


def _probabilities(samples: NDArray[np.float32], first: int) -> NDArray[np.float32]:
    """Return the probability of speech in every frame of one block, the last one filled up with silence."""
    from faster_whisper.vad import get_vad_model  # noqa: PLC0415 - slow

    warm_up = min(first, WARM_UP_SAMPLES)
    block = samples[first - warm_up : first + BLOCK_SAMPLES]
    padded = np.pad(block, (0, -len(block) % FRAME_SAMPLES))
    return np.asarray(get_vad_model()(padded), np.float32).reshape(-1)[warm_up // FRAME_SAMPLES :]


def _closed(found: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Join runs with pauses between them that are too short to be one."""
    joined: list[tuple[int, int]] = []
    for first, last in found:
        if joined and first - joined[-1][1] < SHORTEST_S / FRAME_S:
            joined[-1] = (joined[-1][0], last)
        else:
            joined.append((first, last))
    return joined


def _in_seconds(found: Iterable[tuple[int, int]], duration_s: float) -> tuple[Span, ...]:
    return tuple((first * FRAME_S, min(last * FRAME_S, duration_s)) for first, last in found)
