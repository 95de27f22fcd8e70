"""What pyannote's clusterings share: which embeddings to cluster, and whose centroid each is the nearest to.

As in pyannote.audio 4.0.7, same numbers bit for bit, without the packages that it imports.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Labels = NDArray[Any]  # whole numbers
Vectors = NDArray[Any]  # (..., dimension), 32 or 64 bits
METRIC = "cosine"
MIN_ACTIVE = 0.2  # of a window: who talks less of it alone is not clustered
NOBODY = -2


class Clusters(NamedTuple):
    """Each window's speakers as speakers of the recording, how like each they are, and the centroids."""

    labels: Labels  # (windows, speakers)
    likeness: NDArray[Any]  # (windows, speakers, clusters)
    centroids: Vectors  # (clusters, dimension)


class Clear(NamedTuple):
    """Embeddings worth clustering, and which window's and whose each is."""

    embeddings: Vectors  # (clear, dimension)
    windows: Labels
    speakers: Labels


def clear_embeddings(embeddings: Vectors, segmentations: Any) -> Clear:  # noqa: ANN401 - has the speech in `data`
    """Return those embeddings (windows, speakers, dimension) that are numbers, of speakers who talk enough alone."""
    speech = segmentations.data
    alone = speech.sum(axis=2, keepdims=True) == 1
    active = (speech * alone).sum(axis=1) >= MIN_ACTIVE * speech.shape[1]
    windows, speakers = np.where(active * ~np.isnan(embeddings).any(axis=2))
    return Clear(embeddings[windows, speakers], windows, speakers)


def one_cluster(embeddings: Vectors, clear: Vectors) -> Clusters:
    """Return all embeddings as one speaker's, of whom those that are `clear` tell the voice."""
    places = embeddings.shape[:2]
    return Clusters(np.zeros(places, np.int8), np.ones((*places, 1)), clear.mean(axis=0, keepdims=True))


def likeness(embeddings: Vectors, centroids: Vectors) -> NDArray[Any]:
    """Return (windows, speakers, clusters), the greater the nearer."""
    from scipy.spatial.distance import cdist  # noqa: PLC0415 - slow

    flat = cdist(embeddings.reshape(-1, embeddings.shape[2]), centroids, metric=METRIC)
    found: NDArray[Any] = 2 - flat.reshape(*embeddings.shape[:2], -1)
    return found


def means(embeddings: Vectors, labels: Labels, names: Any) -> Vectors:  # noqa: ANN401 - whole numbers
    """Return the mean embedding of each label in `names`."""
    return np.vstack([embeddings[labels == name].mean(axis=0) for name in names])


def apart(likeness: NDArray[Any]) -> Labels:
    """Return another cluster for each of a window's speakers, so that all together are the most alike."""
    from scipy.optimize import linear_sum_assignment  # noqa: PLC0415 - slow

    likeness = np.nan_to_num(likeness, nan=np.nanmin(likeness))
    labels = np.full(likeness.shape[:2], NOBODY, np.int8)
    for own, gain in zip(labels, likeness, strict=True):
        speakers, clusters = linear_sum_assignment(gain, maximize=True)
        own[speakers] = clusters
    return labels


class Bounds(NamedTuple):
    """How many clusters there may be."""

    exact: int | None
    at_least: int
    at_most: float

    @classmethod
    def of(cls, embeddings: int, *, exact: int | None, at_least: int | None, at_most: float | None) -> "Bounds":
        """Return the bounds asked for, within those of so many embeddings."""
        lower = max(1, min(embeddings, exact or at_least or 1))
        upper = max(1, min(embeddings, exact or at_most or embeddings))
        if lower > upper:
            raise ValueError(f"there cannot be at least {lower} and at most {math.floor(upper)} speakers")
        return cls(lower if lower == upper else exact, lower, upper)
