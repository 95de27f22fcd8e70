"""The clustering of speaker embeddings, bounded: it holds the distances of all pairs, and cannot be stopped."""

import copy
import math
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handlers.diarization.embedding import Vectors
from handlers.diarization.engine import SpeakerCount
from handlers.diarization.frames import SILENT, Labels, Speech

# One to two seconds and 100 MB on one core.
MAX_EMBEDDINGS = 3000


def cluster(
    clustering: Any,  # noqa: ANN401 - pyannote's, which has no types, or one that is called like it
    embeddings: Vectors,
    speech: Speech,
    count: SpeakerCount,
    *,
    thinned: float = 1.0,
) -> tuple[Labels, Vectors]:
    """Return which speaker of the recording each window's speaker is, and the speakers' centroids.

    `embeddings` is (windows, speakers, dimension); each stands for as many of those that the clustering's parameters
    were chosen for as `thinned` says. In recordings with more than MAX_EMBEDDINGS of them, the clusters are those of
    every second, third, ... window, and all others join the nearest.
    """
    step = max(1, -(-int((speech.sum(axis=1) > 0).sum()) // MAX_EMBEDDINGS))
    scaled = _thinned(clustering, step * thinned) if step * thinned != 1 else clustering
    sample, centroids = _clustered(scaled, embeddings[::step], speech[::step], count)
    labels = sample
    if step > 1:
        apart = clustering.constrained_assignment and _all_apart(sample, speech[::step])
        labels = _nearest(clustering, embeddings, speech, centroids, apart=apart)
    labels[speech.sum(axis=1) == 0] = SILENT
    return labels, centroids


def _clustered(
    clustering: Any,  # noqa: ANN401
    embeddings: Vectors,
    speech: Speech,
    count: SpeakerCount,
) -> tuple[Labels, Vectors]:
    exact, at_least, at_most = _bounds(count)
    segmentations = SimpleNamespace(data=speech)  # all that clusterings look at
    clear, _, _ = clustering.filter_embeddings(embeddings, segmentations=segmentations)
    most = max(1, len(clear))  # there cannot be more clusters than embeddings to make them of
    labels, _, centroids = clustering(
        embeddings=embeddings.copy(),  # which it normalises in place
        segmentations=segmentations,
        num_clusters=exact and min(exact, most),
        min_clusters=min(at_least, most),
        max_clusters=at_most,
    )
    return labels.astype(np.int64), centroids


def _bounds(count: SpeakerCount) -> tuple[int | None, int, float]:
    """Return how many speakers there are exactly, at least and at most, as pyannote takes the caller's word for it."""
    at_least, at_most = count.exact or count.at_least or 1, count.exact or count.at_most or math.inf
    return (at_least if at_least == at_most else count.exact), at_least, at_most


def _all_apart(labels: Labels, speech: Speech) -> bool:
    """Tell whether no two of a window who talk have one label: pyannote gives that up where it forces a number."""
    talking = [row[heard > 0].tolist() for row, heard in zip(labels, speech.sum(axis=1), strict=True)]
    return all(len(set(own)) == len(own) for own in talking)


def _thinned(clustering: Any, step: float) -> Any:  # noqa: ANN401
    """Return the clustering for embeddings each of which stands for `step`."""
    scaled = copy.deepcopy(clustering)
    parameters = scaled.parameters(instantiated=True)
    if "min_cluster_size" in parameters:
        parameters["min_cluster_size"] = max(1, round(parameters["min_cluster_size"] / step))
    if "Fb" in parameters:  # VBx weighs the number of embeddings against it
        parameters["Fb"] /= step
    return scaled.instantiate(parameters)


def _nearest(
    clustering: Any,  # noqa: ANN401
    embeddings: Vectors,
    speech: Speech,
    centroids: Vectors,
    *,
    apart: bool,
) -> Labels:
    """Return the nearest centroid of each embedding; if they are to be kept `apart`, another for each of a window's."""
    from scipy.spatial.distance import cdist  # noqa: PLC0415 - slow

    if len(centroids) == 1 or not np.isfinite(centroids).all():
        return np.zeros(embeddings.shape[:2], np.int64)
    flat = cdist(embeddings.reshape(-1, embeddings.shape[2]), centroids, metric=clustering.metric)
    likeness: NDArray[np.float64] = 2 - flat.reshape(*embeddings.shape[:2], -1)
    if not apart:
        nearest: Labels = likeness.argmax(axis=2).astype(np.int64)
        return nearest
    likeness[speech.sum(axis=1) == 0] = np.nanmin(likeness) - 1
    labels: Labels = clustering.constrained_argmax(likeness).astype(np.int64)
    return labels
