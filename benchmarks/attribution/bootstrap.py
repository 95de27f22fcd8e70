"""How sure the figures are: resample whole conversations, since words of one have their errors in common."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.attribution.scoring import Rate

DRAWS = 10_000
INTERVAL = (2.5, 97.5)  # percent


def interval(rates: Sequence[Rate], *, seed: int = 0) -> tuple[float, float]:
    """Return the 95 % interval of the pooled error rate of conversations, in percent."""
    low, high = np.percentile(_drawn(rates, seed), INTERVAL)
    return float(low), float(high)


def interval_of_difference(ours: Sequence[Rate], theirs: Sequence[Rate], *, seed: int = 0) -> tuple[float, float]:
    """Return the 95 % interval of ours − theirs, in points: the same conversations are drawn for both."""
    low, high = np.percentile(_drawn(ours, seed) - _drawn(theirs, seed), INTERVAL)
    return float(low), float(high)


def _drawn(rates: Sequence[Rate], seed: int) -> NDArray[np.float64]:
    errors, words = np.array([rate.errors for rate in rates]), np.array([rate.words for rate in rates])
    drawn = np.random.default_rng(seed).integers(len(rates), size=(DRAWS, len(rates)))
    rates_percent: NDArray[np.float64] = 100 * errors[drawn].sum(axis=1) / np.maximum(words[drawn].sum(axis=1), 1)
    return rates_percent
