"""The likeliest sequence of speakers: what speaks for each at every word, against what a change between words costs."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.int64]
Path = NDArray[np.intp]

LONG_SECTION = 32  # words; so long ones are few, and numpy's steps are dear for few


def best_path(evidence: Scores, change_costs: Scores) -> Path:
    """Return the speaker of each word, so that the sum of their evidence less the costs of changes is greatest.

    `evidence` has the shape (words, speakers), `change_costs` (words - 1,), none below zero; both are whole numbers, so
    that equal sums are equal. Of equal paths one that changes early is taken.

    This is Viterbi's algorithm (https://doi.org/10.1109/TIT.1967.1054010), in which a change costs the same whoever
    the two speakers are, so that each step looks at the best one only. The words fall into sections that do not depend
    on each other; in most of them all is clear, and of the others the short ones take their steps together.
    """
    path: Path = evidence.argmax(axis=1)
    firsts, lasts = _unclear_sections(evidence, change_costs)
    short = lasts - firsts < LONG_SECTION
    _walk_together(path, evidence, change_costs, firsts[short], lasts[short])
    for first, last in zip(firsts[~short].tolist(), lasts[~short].tolist(), strict=True):
        section = evidence[first : last + 1].tolist()
        path[first : last + 1] = _walked_alone(section, change_costs[first:last].tolist())
    return path


def _walk_together(path: Path, evidence: Scores, change_costs: Scores, firsts: Path, lasts: Path) -> None:
    """Write the best paths through sections from `firsts` to `lasts` into `path`."""
    order = np.argsort(firsts - lasts, kind="stable")  # the longest first: those still running stay in front
    firsts, steps = firsts[order], (lasts - firsts)[order]
    scores = [evidence[firsts]]
    for step in range(1, int(steps.max(initial=-1)) + 1):
        words = firsts[: np.count_nonzero(steps >= step)] + step
        before = scores[-1][: len(words)]
        changed = before.max(axis=1) - change_costs[words - 1]
        scores.append(np.maximum(before, changed[:, None]) + evidence[words])
    speakers = np.zeros(len(firsts), np.intp)
    for step, reached in reversed(list(enumerate(scores))):
        rows, best = np.arange(len(reached)), reached.argmax(axis=1)
        ends = steps[: len(reached)] == step
        costs = change_costs[np.minimum(firsts[: len(reached)] + step, len(change_costs) - 1)]
        goes_on = reached[rows, speakers[: len(reached)]] >= reached[rows, best] - costs
        speakers[: len(reached)] = np.where(goes_on & ~ends, speakers[: len(reached)], best)
        path[firsts[: len(reached)] + step] = speakers[: len(reached)]


def _walked_alone(evidence: Sequence[Sequence[int]], change_costs: Sequence[int]) -> list[int]:
    """Return the best path through one section."""
    scores = [list(evidence[0])]
    for row, cost in zip(evidence[1:], change_costs, strict=True):
        changed = max(scores[-1]) - cost
        scores.append([max(score, changed) + more for score, more in zip(scores[-1], row, strict=True)])
    path = [scores[-1].index(max(scores[-1]))]
    for before, cost in zip(scores[-2::-1], change_costs[::-1], strict=True):
        best = max(before)
        path.append(path[-1] if before[path[-1]] >= best - cost else before.index(best))
    return path[::-1]


def _unclear_sections(evidence: Scores, change_costs: Scores) -> tuple[Path, Path]:
    """Return the first and the last word of each section in which the evidence at a word does not decide alone.

    A section ends where a change costs nothing, and at a word whose speaker is certain; the section after such a word
    begins with that word as well, and finds the same speaker for it.
    """
    free = change_costs == 0
    certain = _certain(evidence, dearest=int(change_costs.max(initial=0)))
    cuts = np.flatnonzero(free | certain[:-1])
    firsts = np.concatenate([[0], cuts + free[cuts]])
    lasts = np.concatenate([cuts, [len(evidence) - 1]])
    unclear = np.concatenate([[0], np.cumsum(~certain)])
    chosen = (firsts < lasts) & (unclear[lasts + 1] > unclear[firsts])
    return firsts[chosen], lasts[chosen]


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
