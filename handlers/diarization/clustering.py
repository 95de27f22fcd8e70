"""pyannote's clustering of speaker embeddings, bounded: it holds the distances of all pairs, and cannot be stopped."""

import copy
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyannote.audio.pipelines.utils.diarization import set_num_speakers
from pyannote.core import SlidingWindow, SlidingWindowFeature
from scipy.spatial.distance import cdist

from handlers.diarization.embedding import Vectors
from handlers.diarization.engine import SpeakerCount
from handlers.diarization.frames import SILENT, Labels, Speech

# 2 s and 100 MB on one core; an hour of one speaker has as many with windows every second.
MAX_EMBEDDINGS = 3600


def cluster(
    clustering: Any,  # noqa: ANN401 - pyannote has no types
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
    labels, centroids = _clustered(scaled, embeddings[::step], speech[::step], count)
    if step > 1:
        labels = _nearest(clustering, embeddings, speech, centroids, constrained=count.exact is None)
    labels[speech.sum(axis=1) == 0] = SILENT
    return labels, centroids


def _clustered(
    clustering: Any,  # noqa: ANN401
    embeddings: Vectors,
    speech: Speech,
    count: SpeakerCount,
) -> tuple[Labels, Vectors]:
    exact, at_least, at_most = set_num_speakers(count.exact, count.at_least, count.at_most)
    labels, _, centroids = clustering(
        embeddings=embeddings.copy(),  # which it normalises in place
        segmentations=SlidingWindowFeature(speech, SlidingWindow()),
        num_clusters=exact,
        min_clusters=at_least,
        max_clusters=at_most,
    )
    return labels.astype(np.int64), centroids


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
    constrained: bool,
) -> Labels:
    """Return the nearest centroid of each embedding; if the clustering does so, another for each of a window's."""
    flat = cdist(embeddings.reshape(-1, embeddings.shape[2]), centroids, metric=clustering.metric)
    likeness: NDArray[np.float64] = 2 - flat.reshape(*embeddings.shape[:2], -1)
    if not (constrained and clustering.constrained_assignment):
        nearest: Labels = likeness.argmax(axis=2).astype(np.int64)
        return nearest
    likeness[speech.sum(axis=1) == 0] = np.nanmin(likeness) - 1
    labels: Labels = clustering.constrained_argmax(likeness).astype(np.int64)
    return labels
