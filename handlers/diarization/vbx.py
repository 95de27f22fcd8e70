"""VBx clustering of speaker embeddings, as pyannote.audio 4.0.7 does it, without what that imports.

Its own Bayesian steps are pyannote's, from the one file of it that needs nothing but numpy and scipy. VBx: Landini et
al. 2022, https://arxiv.org/abs/2012.14952.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from common.model_store import package_folder
from handlers.diarization.grouping import (
    METRIC,
    Clear,
    Clusters,
    Labels,
    Vectors,
    apart,
    clear_embeddings,
    likeness,
    means,
    one_cluster,
)
from handlers.lean_import import module_of_file

LDA_DIMENSION = 128
MAX_ITERATIONS = 20
LEAST_SHARE = 1e-7  # of all speech: who has less is nobody
KMEANS = {"n_init": 3, "random_state": 42, "copy_x": False}


class Plda:
    """A PLDA of speaker embeddings, from the two files of a folder; raises what numpy and scipy do for other files."""

    def __init__(self, folder: Path) -> None:
        # open already: numpy leaves damaged files open
        with (folder / "xvec_transform.npz").open("rb") as transform, (folder / "plda.npz").open("rb") as plda:
            self._whiten, self._project, variances = _steps().vbx_setup(transform, plda)
        self.phi = variances[:LDA_DIMENSION]

    def __call__(self, embeddings: Vectors) -> Vectors:
        """Return embeddings (any, dimension) in its space (any, 128)."""
        found: Vectors = self._project(self._whiten(embeddings), lda_dim=LDA_DIMENSION)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class VbxClustering:
    """Begins with agglomerative clusters at `threshold`, and lets those fade that others explain."""

    plda: Plda
    threshold: float
    Fa: float
    Fb: float

    metric = METRIC
    constrained_assignment = True

    def parameters(self, *, instantiated: bool) -> dict[str, Any]:  # noqa: ARG002 - pyannote's signature
        """Return the parameters by their names."""
        return {"threshold": self.threshold, "Fa": self.Fa, "Fb": self.Fb}

    def instantiate(self, parameters: Mapping[str, Any]) -> "VbxClustering":
        """Return it with other parameters."""
        return replace(self, **parameters)

    def filter_embeddings(self, embeddings: Vectors, *, segmentations: Any) -> Clear:  # noqa: ANN401 - has the speech in `data`
        """Return those that are clustered."""
        return clear_embeddings(embeddings, segmentations)

    def constrained_argmax(self, likeness: Vectors) -> Labels:
        """Return another cluster for each of a window's speakers."""
        return apart(likeness)

    def __call__(
        self,
        *,
        embeddings: Vectors,
        segmentations: Any,  # noqa: ANN401 - has the speech in `data`
        num_clusters: int | None,
        min_clusters: int,
        max_clusters: float,
    ) -> Clusters:
        """Cluster embeddings (windows, speakers, dimension) into a number of clusters within the bounds."""
        clear = clear_embeddings(embeddings, segmentations).embeddings
        if len(clear) < 2:
            return one_cluster(embeddings, clear)
        normed = clear / np.linalg.norm(clear, axis=1, keepdims=True)
        centroids = self._centroids(clear, normed)
        found, wanted = len(centroids), num_clusters
        if found < min_clusters:
            wanted = min_clusters
        elif found > max_clusters:
            wanted = int(max_clusters)
        forced = bool(wanted) and wanted != found
        if forced:
            centroids = means(clear, _kmeans(normed, wanted), range(wanted))  # type: ignore[arg-type]  # a number here
        alike = likeness(embeddings, centroids)
        if forced:  # pyannote keeps those of a window apart only where it found the number itself
            return Clusters(alike.argmax(axis=2), alike, centroids)
        alike[segmentations.data.sum(axis=1) == 0] = alike.min() - 1.0
        return Clusters(apart(alike), alike, centroids)

    def _centroids(self, clear: Vectors, normed: Vectors) -> Vectors:
        from scipy.cluster.hierarchy import fcluster, linkage  # noqa: PLC0415 - slow

        dendrogram = linkage(normed, method="centroid", metric="euclidean")
        first = np.unique(fcluster(dendrogram, self.threshold, criterion="distance"), return_inverse=True)[1]
        features = self.plda(clear)
        shares, weights = _steps().cluster_vbx(
            first, features, self.plda.phi, Fa=self.Fa, Fb=self.Fb, maxIters=MAX_ITERATIONS
        )
        kept = shares[:, weights > LEAST_SHARE]
        centroids: Vectors = kept.T @ clear / kept.sum(0, keepdims=True).T
        return centroids


def _kmeans(normed: Vectors, clusters: int) -> Labels:
    from sklearn.cluster import KMeans  # type: ignore[import-untyped]  # noqa: PLC0415 - it has no types; slow, seldom needed

    labels: Labels = KMeans(n_clusters=clusters, **KMEANS).fit_predict(normed)
    return labels


@cache
def _steps() -> ModuleType:
    """Return pyannote's VBx; raises ImportError where pyannote.audio is not, or is another than is known here."""
    folder = package_folder("pyannote.audio")
    if folder is None:
        raise ImportError("pyannote.audio is not installed")
    return module_of_file("parley_pyannote_vbx", folder / "utils" / "vbx.py")
