"""Agglomerative clustering of speaker embeddings, as pyannote.audio 4.0.7 does it, without what that imports."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from handlers.diarization.grouping import (
    METRIC,
    Bounds,
    Clear,
    Clusters,
    Labels,
    Vectors,
    clear_embeddings,
    likeness,
    means,
    one_cluster,
)

EUCLIDEAN = ("centroid", "median", "ward")  # methods that know no other distance
SMALLEST_SHARE = 0.1  # of all embeddings: a cluster that large is never too small

Dendrogram = NDArray[np.float64]


class _Groups(NamedTuple):
    labels: Labels
    large: Labels
    small: Labels


@dataclass(frozen=True, slots=True, kw_only=True)
class AgglomerativeClustering:
    """Joins the nearest until all are `threshold` apart; clusters below `min_cluster_size` join larger ones."""

    method: str
    min_cluster_size: int
    threshold: float

    metric = METRIC
    constrained_assignment = False

    def parameters(self, *, instantiated: bool) -> dict[str, Any]:  # noqa: ARG002 - pyannote's signature
        """Return the parameters by their names."""
        return asdict(self)

    def instantiate(self, parameters: Mapping[str, Any]) -> "AgglomerativeClustering":
        """Return it with other parameters."""
        return replace(self, **parameters)

    def filter_embeddings(self, embeddings: Vectors, *, segmentations: Any) -> Clear:  # noqa: ANN401 - has the speech in `data`
        """Return those that are clustered."""
        return clear_embeddings(embeddings, segmentations)

    def __call__(
        self,
        *,
        embeddings: Vectors,
        segmentations: Any,  # noqa: ANN401 - has the speech in `data`
        num_clusters: int | None,
        min_clusters: int | None,
        max_clusters: float | None,
    ) -> Clusters:
        """Cluster embeddings (windows, speakers, dimension) into a number of clusters within the bounds."""
        clear = clear_embeddings(embeddings, segmentations)
        count = Bounds.of(len(clear.embeddings), exact=num_clusters, at_least=min_clusters, at_most=max_clusters)
        if count.at_most < 2:
            return one_cluster(embeddings, clear.embeddings)
        labels = self._cluster(clear.embeddings.copy(), count)
        centroids = means(clear.embeddings, labels, range(labels.max() + 1))
        alike = likeness(embeddings, centroids)
        return Clusters(alike.argmax(axis=2), alike, centroids)

    def _cluster(self, embeddings: Vectors, count: Bounds) -> Labels:
        """Return the cluster of each of the `embeddings`, which may be normalised in place."""
        from scipy.cluster.hierarchy import linkage  # noqa: PLC0415 - slow

        if len(embeddings) == 1:
            return np.zeros(1, np.uint8)
        metric = METRIC
        if self.method in EUCLIDEAN:
            metric = "euclidean"
            with np.errstate(divide="ignore", invalid="ignore"):
                embeddings /= np.linalg.norm(embeddings, axis=-1, keepdims=True)
        dendrogram = linkage(embeddings, method=self.method, metric=metric)
        least = min(self.min_cluster_size, max(1, round(SMALLEST_SHARE * len(embeddings))))
        groups = _cut(dendrogram, self.threshold, least)
        wanted = _wanted(len(groups.large), count)
        if wanted is not None and wanted != len(groups.large):
            groups = self._forced(dendrogram, groups, wanted, least)
        return _without_small(embeddings, groups)

    def _forced(self, dendrogram: Dendrogram, groups: _Groups, wanted: int, least: int) -> _Groups:
        """Return the groups of that step of the joining, the nearest to the threshold, which has as many as `wanted`.

        If none has, of the one which has nearly as many.
        """
        by_step = dendrogram.copy()
        by_step[:, 2] = np.arange(len(dendrogram))
        best_step, best = len(dendrogram), 1
        for step in np.argsort(np.abs(dendrogram[:, 2] - self.threshold)):
            if by_step[step, 3] < least:
                continue
            groups = _cut(by_step, step, least)
            if abs(len(groups.large) - wanted) < abs(best - wanted):
                best_step, best = step, len(groups.large)
            if len(groups.large) == wanted:
                break
        return groups if best == wanted else _cut(by_step, best_step, least)


def _wanted(found: int, count: Bounds) -> int | None:
    if found < count.at_least:
        return count.at_least
    return int(count.at_most) if found > count.at_most else count.exact


def _cut(dendrogram: Dendrogram, height: float, least: int) -> _Groups:
    from scipy.cluster.hierarchy import fcluster  # noqa: PLC0415 - slow

    labels = fcluster(dendrogram, height, criterion="distance") - 1
    names, sizes = np.unique(labels, return_counts=True)
    return _Groups(labels, names[sizes >= least], names[sizes < least])


def _without_small(embeddings: Vectors, groups: _Groups) -> Labels:
    """Return the labels with those of small groups replaced by the large group that each is the nearest to."""
    from scipy.spatial.distance import cdist  # noqa: PLC0415 - slow

    labels, large, small = groups
    if len(large) == 0:
        return np.zeros_like(labels)
    if len(small) == 0:
        return labels
    distances = cdist(means(embeddings, labels, large), means(embeddings, labels, small), metric=METRIC)
    for name, nearest in zip(small, large[distances.argmin(axis=0)], strict=True):
        labels[labels == name] = nearest
    return np.unique(labels, return_inverse=True)[1]
