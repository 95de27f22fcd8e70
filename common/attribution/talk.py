"""When each speaker talks, as arrays: how much of any stretch of time, and how far from it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from common.timeline import LATEST_S, Turn

Microseconds = NDArray[np.int64]
Near = Callable[[Microseconds, Microseconds], NDArray[np.bool_]]  # of the starts and the ends of stretches

NEVER_US = 4 * 10**15  # further than any two times are apart


def microseconds(seconds: Iterable[float]) -> Microseconds:
    """Return times as whole microseconds: sums and differences of them are exact, wherever on the time axis."""
    return np.rint(np.minimum(np.fromiter(seconds, np.float64), LATEST_S) * 1e6).astype(np.int64)


@dataclass(frozen=True)
class Talk:
    """One speaker's talk: disjoint stretches in order, [starts, ends), each array of shape (stretches,)."""

    starts: Microseconds
    ends: Microseconds

    def within(self, firsts: Microseconds, lasts: Microseconds) -> Microseconds:
        """Return how much talk there is in each [first, last)."""
        return self._until(lasts) - self._until(firsts)

    def distance(self, firsts: Microseconds, lasts: Microseconds) -> Microseconds:
        """Return how far each [first, last) is from the nearest talk, 0 where it touches some."""
        begun = np.searchsorted(self.starts, firsts, side="right")
        since, until = firsts - self._ends_after_none[begun], self._starts_before_none[begun] - lasts
        nearest: Microseconds = np.maximum(np.minimum(since, until), 0)
        return nearest

    def length(self, times: Microseconds) -> Microseconds:
        """Return how long the stretch is that begins last before each of `times`, NEVER_US where none does."""
        lengths = np.concatenate([[NEVER_US], self.ends - self.starts])
        return np.asarray(lengths[np.searchsorted(self.starts, times, side="right")], np.int64)

    def _until(self, times: Microseconds) -> Microseconds:
        begun = np.searchsorted(self.starts, times, side="right")
        talked: Microseconds = self._totals[begun] - np.maximum(self._ends_after_none[begun] - times, 0)
        return talked

    @cached_property
    def _totals(self) -> Microseconds:
        return np.concatenate([[0], np.cumsum(self.ends - self.starts)])

    @cached_property
    def _ends_after_none(self) -> Microseconds:
        return np.concatenate([[-NEVER_US], self.ends])

    @cached_property
    def _starts_before_none(self) -> Microseconds:
        return np.concatenate([self.starts, [NEVER_US]])


SILENT = Talk(np.zeros(0, np.int64), np.zeros(0, np.int64))


def talk_by_speaker(turns: Iterable[Turn], *, near: Near | None = None) -> dict[str, Talk]:
    """Return each speaker's talk, in the order in which they begin; of several at once, who stops first.

    Turns of one speaker that touch or overlap are one stretch, so that how a turn is cut into pieces changes nothing;
    stretches that are not `near` are left out, so that they change nothing either.
    """
    stretches: dict[str, list[list[int]]] = {}
    known_turns = list(turns)
    starts, ends = microseconds(turn.start for turn in known_turns), microseconds(turn.end for turn in known_turns)
    speakers = [turn.speaker for turn in known_turns]
    for start, end, speaker in sorted(zip(starts.tolist(), ends.tolist(), speakers, strict=True)):
        known = stretches.setdefault(speaker, [])
        if known and start <= known[-1][1]:
            known[-1][1] = max(known[-1][1], end)
        else:
            known.append([start, end])
    talks = {speaker: _kept(np.array(known, np.int64).T, near) for speaker, known in stretches.items()}
    by_beginning = sorted((item for item in talks.items() if len(item[1].starts)), key=_beginning)
    return dict(by_beginning)


def _kept(stretches: Microseconds, near: Near | None) -> Talk:
    starts, ends = stretches if near is None else stretches[:, near(*stretches)]
    return Talk(starts.copy(), ends.copy())


def _beginning(item: tuple[str, Talk]) -> tuple[list[list[int]], str]:
    speaker, talk = item
    return np.stack([talk.starts, talk.ends], axis=1).tolist(), speaker


def near_words(starts: Microseconds, ends: Microseconds, *, max_gap_us: int) -> Near:
    """Return what tells whether stretches are at most `max_gap_us` from any of the words, given in order of start."""
    latest = np.concatenate([[-NEVER_US], np.maximum.accumulate(ends)])
    return lambda firsts, lasts: np.asarray(
        latest[np.searchsorted(starts, lasts + max_gap_us, side="right")] >= firsts - max_gap_us, np.bool_
    )
