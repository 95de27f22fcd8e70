"""Align what was heard with what was said, by text and time: an hour in a second, and no drift."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence

from common.timeline import Word

Pair = tuple[int | None, int | None]
DELETION, INSERTION, PAIR = range(3)
COST_PER_S = 1e-3  # of a shift, which decides between alignments of equally many errors


def align(reference: Sequence[Word], hypothesis: Sequence[Word], *, max_shift_s: float) -> list[Pair]:
    """Return the alignment with the fewest word errors as pairs of indices, None in place of a missing word.

    Words are paired only if they start within `max_shift_s` of each other; of equally good alignments the one that
    shifts the least is taken. Starts must not go back in either sequence.
    """
    starts = [word.start for word in hypothesis]
    costs, choices = _first_row(bisect_right(starts, reference[0].start + max_shift_s) if reference else len(starts))
    rows = [(0, choices)]
    lowest = 0
    for index, word in enumerate(reference):
        is_last = index + 1 == len(reference)
        low = bisect_left(starts, word.start - max_shift_s)
        high = len(starts) if is_last else bisect_right(starts, reference[index + 1].start + max_shift_s)
        shifts = [_pair_cost(word, other, max_shift_s) for other in hypothesis[max(low - 1, 0) : high]]
        costs, choices = _next_row(costs, lowest, shifts, low, high)
        rows.append((low, choices))
        lowest = low
    return list(_walk_back(rows, len(hypothesis)))[::-1]


def _pair_cost(said: Word, heard: Word, max_shift_s: float) -> float:
    shift_s = abs(said.start - heard.start)
    return float(said.text != heard.text) + COST_PER_S * shift_s if shift_s <= max_shift_s else float("inf")


def _first_row(count: int) -> tuple[list[float], list[int]]:
    return [float(number) for number in range(count + 1)], [INSERTION] * (count + 1)


def _next_row(
    above: list[float], above_low: int, pair_costs: list[float], low: int, high: int
) -> tuple[list[float], list[int]]:
    """Return cost and last step for each number of heard words from `low` to `high`, one more word having been said."""
    costs: list[float] = []
    choices: list[int] = []
    for count in range(low, high + 1):
        place = count - above_low
        options = [
            above[place] + 1 if 0 <= place < len(above) else float("inf"),
            costs[-1] + 1 if costs else float("inf"),
            above[place - 1] + pair_costs[count - 1 - max(low - 1, 0)]
            if 0 < place <= len(above) and count
            else float("inf"),
        ]
        best = min(options)
        costs.append(best)
        choices.append(options.index(best))
    return costs, choices


def _walk_back(rows: list[tuple[int, list[int]]], heard: int) -> Iterator[Pair]:
    said = len(rows) - 1
    while said or heard:
        low, choices = rows[said]
        step = choices[heard - low]
        said, heard = said - (step != INSERTION), heard - (step != DELETION)
        yield said if step != INSERTION else None, heard if step != DELETION else None
