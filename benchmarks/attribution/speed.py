"""How long it takes to give the words of three hours their speakers."""

import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np

from benchmarks.attribution import baselines, whisperx_package
from benchmarks.attribution.synthetic import one_at_a_time
from common.speakers import assign_speakers
from common.timeline import SpeakerTurns, Turn, Word

HOURS, WORDS, TURNS, SPEAKERS = 3, 36_000, 6_000, 4


def three_hours(*, seed: int = 0) -> tuple[tuple[Word, ...], SpeakerTurns]:
    """Return 36,000 words and 6,000 turns, a tenth of which overlap others."""
    rng = np.random.default_rng(seed)
    step_s = HOURS * 3600 / WORDS
    words = tuple(
        Word("word." if index % 12 == 11 else "word", index * step_s, index * step_s + length)
        for index, length in enumerate(rng.uniform(0.1, step_s, WORDS).tolist())
    )
    step_s = HOURS * 3600 / TURNS
    gaps = np.where(rng.random(TURNS) < 0.1, rng.uniform(-0.8, 0.0, TURNS), rng.uniform(0.05, 0.6, TURNS))
    turns = tuple(
        Turn(index * step_s, (index + 1) * step_s - gap, f"SPEAKER_{speaker:02d}")
        for index, (gap, speaker) in enumerate(zip(gaps.tolist(), rng.integers(SPEAKERS, size=TURNS), strict=True))
    )
    return words, SpeakerTurns(turns=turns, exclusive=_exclusive(turns, rng))


def _exclusive(turns: tuple[Turn, ...], rng: np.random.Generator) -> tuple[Turn, ...]:
    """Work in parts: looking for who talks at once is quadratic."""
    parts = [turns[first : first + 100] for first in range(0, len(turns), 100)]
    return tuple(turn for part in parts for turn in one_at_a_time(part, rng))


def measure(*, runs: int) -> dict[str, Any]:
    """Return the median times (s) of our rule and of whisperx, and which whisperx it was.

    `merge_worst_s` is that of our rule where one more speaker never stops, so that all words are in overlap.
    """
    words, spoken = three_hours()
    chaired = (*spoken.turns, Turn(0.0, HOURS * 3600.0, "CHAIR"))
    if whisperx_package.installed():
        theirs_s = _median_s(
            lambda: whisperx_package.inputs(words, spoken.turns), lambda given: whisperx_package.run(*given), runs
        )
    else:
        theirs_s = _median_s(lambda: None, lambda _: baselines.whisperx(words, spoken.turns), runs)
    return {
        "merge_s": _median_s(
            lambda: None, lambda _: assign_speakers(words, spoken.turns, exclusive=spoken.exclusive), runs
        ),
        "merge_worst_s": _median_s(lambda: None, lambda _: assign_speakers(words, chaired), runs),
        "whisperx_s": theirs_s,
        "whisperx_is": "package" if whisperx_package.installed() else "own implementation",
    }


def _median_s(prepare: Callable[[], Any], run: Callable[[Any], object], runs: int) -> float:
    times = []
    for _ in range(runs):
        given = prepare()
        started = time.perf_counter()
        run(given)
        times.append(time.perf_counter() - started)
    return round(median(times), 4)
