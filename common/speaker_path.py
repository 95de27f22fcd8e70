"""The likeliest sequence of speakers: what speaks for each at every word, against what a change between words costs."""

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.int64]


def best_path(evidence: Scores, change_costs: Scores) -> NDArray[np.intp]:
    """Return the speaker of each word, so that the sum of their evidence less the costs of changes is greatest.

    `evidence` has the shape (words, speakers), `change_costs` (words - 1,), none below zero; both are whole numbers, so
    that equal sums are equal. Of equal paths the one that changes late, and to the speaker of the lowest number.

    This is Viterbi's algorithm (https://doi.org/10.1109/TIT.1967.1054010), in which a change costs the same whoever
    the two speakers are, so that each step looks at the best one only. The words fall into sections that do not depend
    on each other, and all sections take a step together.
    """
    firsts, lasts = _sections(evidence, change_costs)
    order = np.argsort(firsts - lasts, kind="stable")  # the longest first: those still running stay in front
    firsts, lasts = firsts[order], lasts[order]
    came_from = np.empty(evidence.shape, np.intp)
    scores = evidence[firsts]
    numbers = np.arange(evidence.shape[1])
    for step in range(1, int((lasts - firsts).max(initial=0)) + 1):
        words = firsts[: _running(firsts, lasts, step)] + step
        before = scores[: len(words)]
        leaders = before.argmax(axis=1)
        changed = before[np.arange(len(words)), leaders] - change_costs[words - 1]
        stays = before >= changed[:, None]
        came_from[words] = np.where(stays, numbers, leaders[:, None])
        scores[: len(words)] = np.where(stays, before, changed[:, None]) + evidence[words]
    return _traced(firsts, lasts, scores.argmax(axis=1), came_from)


def _traced(
    firsts: NDArray[np.intp], lasts: NDArray[np.intp], speakers: NDArray[np.intp], came_from: NDArray[np.intp]
) -> NDArray[np.intp]:
    """Follow each section back from the speaker of its last word."""
    path = np.empty(len(came_from), np.intp)
    for step in range(int((lasts - firsts).max(initial=0)), -1, -1):
        running = _running(firsts, lasts, step)
        words = firsts[:running] + step
        path[words] = speakers[:running]
        if step:
            speakers[:running] = came_from[words, speakers[:running]]
    return path


def _running(firsts: NDArray[np.intp], lasts: NDArray[np.intp], step: int) -> int:
    """Return how many sections, in falling order of length, have a word `step` after their first."""
    return int(np.searchsorted(firsts - lasts, -step, side="right"))


def _sections(evidence: Scores, change_costs: Scores) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the first and the last word of each section.

    A section ends where a change costs nothing, and at a word whose speaker is certain; the section after such a word
    begins with that word as well, and finds the same speaker for it.
    """
    free = change_costs == 0
    cuts = np.flatnonzero(free | _certain(evidence, dearest=int(change_costs.max(initial=0)))[:-1])
    firsts = np.concatenate([[0], cuts + free[cuts]])
    return firsts, np.concatenate([cuts, [len(evidence) - 1]])


def _certain(evidence: Scores, *, dearest: int) -> NDArray[np.bool_]:
    """Tell for which words the best speaker at the word is that of the best path, whatever the words around say.

    In a run of words that are all best for one speaker, a path that has another one at some word could be bettered by a
    change to that speaker before it or behind it, if the run is better by more than a change costs on either side.
    """
    words = np.arange(len(evidence))
    leaders = evidence.argmax(axis=1)
    lead = evidence[words, leaders]
    others = evidence.copy()
    others[words, leaders] = np.iinfo(np.int64).min
    margins = np.cumsum(lead - np.maximum(others.max(axis=1), lead - dearest - 1))  # one word more is not needed
    runs = np.concatenate([[0], np.flatnonzero(leaders[1:] != leaders[:-1]) + 1, [len(evidence)]])
    totals = np.concatenate([[0], margins])
    before = np.repeat(totals[runs[:-1]], np.diff(runs))
    after = np.repeat(totals[runs[1:]], np.diff(runs))
    certain: NDArray[np.bool_] = (margins - before > dearest) & (after - margins > dearest)
    return certain
