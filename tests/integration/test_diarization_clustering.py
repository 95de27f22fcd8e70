"""pyannote's clustering of more embeddings than it is given at once."""

import numpy as np
import pytest

from handlers.diarization.engine import SpeakerCount
from handlers.diarization.pyannote_import import import_pyannote

import_pyannote()

from pyannote.audio.core.plda import PLDA  # noqa: E402 - only after import_pyannote
from pyannote.audio.pipelines.clustering import AgglomerativeClustering, VBxClustering  # noqa: E402

from handlers.diarization import clustering as ours  # noqa: E402

pytestmark = pytest.mark.model

WINDOWS, FRAMES, DIMENSION = 240, 20, 16
AHC = {"method": "centroid", "min_cluster_size": 12, "threshold": 0.7}


@pytest.fixture
def agglomerative():
    return AgglomerativeClustering(metric="cosine").instantiate(AHC)


@pytest.fixture
def talk():
    """Three people talk in turn, a minute each, and a fourth for three windows; nobody at the same time."""
    who = np.repeat([0, 1, 2, 0, 3], [60, 60, 60, 57, 3])
    random = np.random.default_rng(5)
    voices = np.linalg.qr(random.normal(size=(DIMENSION, DIMENSION)))[0][:4]
    embeddings = np.full((WINDOWS, 2, DIMENSION), np.nan)
    embeddings[:, 0] = voices[who] + 0.05 * random.normal(size=(WINDOWS, DIMENSION))
    speech = np.zeros((WINDOWS, FRAMES, 2), np.uint8)
    speech[:, :, 0] = 1
    return who, embeddings, speech


def same_partition(one, other):
    return (
        len(set(zip(one.tolist(), other.tolist(), strict=True))) == len(set(one.tolist())) == len(set(other.tolist()))
    )


def test_few_embeddings_are_clustered_as_pyannote_does(agglomerative, talk):
    who, embeddings, speech = talk
    before = embeddings.copy()
    labels, centroids = ours.cluster(agglomerative, embeddings, speech, SpeakerCount())
    assert np.array_equal(embeddings, before, equal_nan=True)
    assert labels[:, 1].tolist() == [-2] * WINDOWS
    assert same_partition(labels[:-3, 0], who[:-3])  # three windows are too few for a cluster of their own
    assert centroids.shape == (3, DIMENSION)


def test_of_many_every_few_are_clustered_and_the_others_join_them(agglomerative, talk, monkeypatch):
    whole, _ = ours.cluster(agglomerative, *talk[1:], SpeakerCount())
    monkeypatch.setattr(ours, "MAX_EMBEDDINGS", 50)  # every fifth
    labels, centroids = ours.cluster(agglomerative, *talk[1:], SpeakerCount())
    assert same_partition(labels[:, 0], whole[:, 0])
    assert centroids.shape == (3, DIMENSION)
    assert agglomerative.parameters(instantiated=True) == AHC


@pytest.mark.parametrize(
    ("count", "expected"), [(SpeakerCount(exact=2), 2), (SpeakerCount(at_most=1), 1), (SpeakerCount(at_least=3), 3)]
)
@pytest.mark.parametrize("at_once", [1000, 120])
def test_the_number_of_speakers_is_kept_to(agglomerative, talk, monkeypatch, at_once, count, expected):
    monkeypatch.setattr(ours, "MAX_EMBEDDINGS", at_once)
    labels, _ = ours.cluster(agglomerative, *talk[1:], count)
    assert len(set(labels[:, 0].tolist())) == expected


def test_what_weighs_the_number_of_embeddings_is_scaled_with_it(agglomerative):
    vbx = VBxClustering(PLDA.__new__(PLDA)).instantiate({"threshold": 0.6, "Fa": 0.07, "Fb": 0.8})
    thinned = ours._thinned(vbx, 4).parameters(instantiated=True)
    assert thinned == {"threshold": 0.6, "Fa": 0.07, "Fb": pytest.approx(0.2)}
    assert ours._thinned(agglomerative, 5).parameters(instantiated=True) == {**AHC, "min_cluster_size": 2}
    assert ours._thinned(agglomerative, 50).parameters(instantiated=True) == {**AHC, "min_cluster_size": 1}


def test_two_of_one_window_join_different_speakers_where_the_clustering_wants_it():
    constrained = AgglomerativeClustering(metric="cosine", constrained_assignment=True).instantiate(AHC)
    centroids = np.eye(2)
    embeddings = np.array([[[1.0, 0.1], [1.0, 0.2]], [[0.1, 1.0], [np.nan, np.nan]]])
    speech = np.ones((2, FRAMES, 2), np.uint8)
    speech[1, :, 1] = 0
    nearest = ours._nearest(constrained, embeddings, speech, centroids, apart=True)
    assert nearest[0].tolist() == [0, 1]
    assert nearest[1, 0] == 1
    assert ours._nearest(constrained, embeddings, speech, centroids, apart=False)[0].tolist() == [0, 0]


def crowd(voices, windows=60):
    """Three of four people in every window, all alone in a part of it."""
    random = np.random.default_rng(9)
    who = np.array([random.permutation(4)[:3] for _ in range(windows)])
    embeddings = voices[who] + 0.02 * random.normal(size=(windows, 3, voices.shape[1]))
    speech = np.zeros((windows, 30, 3), np.uint8)
    for speaker in range(3):
        speech[:, speaker * 10 : speaker * 10 + 10, speaker] = 1
    return who, embeddings, speech


@pytest.mark.parametrize("count", [SpeakerCount(), SpeakerCount(at_most=2), SpeakerCount(exact=4)])
def test_those_of_one_window_are_kept_apart_in_all_windows_or_in_none(talk, monkeypatch, count):
    class Plain(VBxClustering):
        """With as many speakers as are forced, and three otherwise, each a voice."""

        def __call__(self, embeddings, segmentations=None, num_clusters=None, max_clusters=None, **_):
            forced = num_clusters or (max_clusters if max_clusters < 3 else None)
            centroids = voices[: forced or 4]
            found = np.array([[np.argmax(centroids @ one) for one in window] for window in embeddings])
            return found, None, centroids

    voices = np.eye(4)
    vbx = Plain(PLDA.__new__(PLDA)).instantiate({"threshold": 0.6, "Fa": 0.07, "Fb": 0.8})
    _, embeddings, speech = crowd(voices)
    whole, _ = ours.cluster(vbx, embeddings, speech, count)
    monkeypatch.setattr(ours, "MAX_EMBEDDINGS", 60)
    labels, _ = ours.cluster(vbx, embeddings, speech, count)
    assert (labels >= 0).all()
    assert (count.at_most is not None) or np.array_equal(labels, whole)


def test_voices_that_nobody_can_tell_are_one(agglomerative, monkeypatch):
    embeddings, speech = np.ones((50, 2, 3)), np.ones((50, FRAMES, 2), np.uint8)
    nowhere = np.full((2, 3), np.nan)
    assert not ours._nearest(agglomerative, embeddings, speech, nowhere, apart=True).any()
    assert not ours._nearest(agglomerative, embeddings, speech, np.ones((1, 3)), apart=True).any()
