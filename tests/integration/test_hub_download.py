"""Finding models with the hub's real client: from a hub on loopback, and from the cache it lays out."""

import shutil

import pytest

from common.errors import ConfigurationError
from common.settings import load_settings
from handlers.diarization.pipelines import locate
from handlers.hub import find_model
from tests.support.hub_cache import lay_out, listing
from tests.support.hub_server import hub_server
from tests.support.no_network import no_network

PIPELINE_31 = "pyannote/speaker-diarization-3.1"
COMMUNITY_1 = "pyannote/speaker-diarization-community-1"
EMBEDDING = "pyannote/wespeaker-voxceleb-resnet34-LM"
CONFIG = b"pipeline:\n  name: pyannote.audio.pipelines.SpeakerDiarization\n  params: {%s}\n"
REPOS = {
    PIPELINE_31: {
        "config.yaml": CONFIG
        % (
            b"clustering: AgglomerativeClustering, segmentation: pyannote/segmentation-3.0, "
            b"embedding: pyannote/wespeaker-voxceleb-resnet34-LM"
        )
    },
    EMBEDDING: {"pytorch_model.bin": b"embedding", "README.md": b"not wanted"},
    COMMUNITY_1: {
        "config.yaml": CONFIG % b"segmentation: $model/segmentation, embedding: $model/embedding, plda: $model/plda",
        "segmentation/pytorch_model.bin": b"segmentation",
        "embedding/pytorch_model.bin": b"embedding",
        "plda/plda.npz": b"plda",
        "plda/xvec_transform.npz": b"transform",
    },
}
TOKENS = "https://hf.co/settings/tokens"


@pytest.fixture
def hub(monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.get_token", lambda: None)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    with hub_server(REPOS) as server:
        server.gated, server.granted = {PIPELINE_31, COMMUNITY_1}, {"hf_good"}
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", server.url)
        files = f"{server.url}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        monkeypatch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", files)
        yield server


@pytest.fixture
def store(tmp_path):
    return tmp_path / "store"


def located(model, store, token="hf_good"):
    env = {"DIARIZATION_MODEL": model, "MODEL_STORE": str(store), "HUGGINGFACE_ACCESS_TOKEN": token}
    return locate(load_settings(env).diarization)


def fault(model, store, token="hf_good"):
    with pytest.raises(ConfigurationError) as caught:
        located(model, store, token)
    message = caught.value.message
    assert "\n" not in message
    assert "127.0.0.1" not in message
    assert str(store.parent) not in message
    return message


def test_a_pipeline_is_downloaded_with_the_token_and_is_here_from_then_on(hub, store):
    downloaded = located(COMMUNITY_1, store)
    assert (downloaded.folder / "plda" / "xvec_transform.npz").read_bytes() == b"transform"
    assert {(repo, token) for repo, token, _ in hub.asked} == {(COMMUNITY_1, "hf_good")}
    with no_network() as attempts:
        assert located(COMMUNITY_1, store, token="") == downloaded
    assert attempts == []


def test_of_3_1_only_what_is_nowhere_else_is_downloaded(hub, store):
    lay_out(store, PIPELINE_31, REPOS[PIPELINE_31])
    params = located(PIPELINE_31, store, token="").config["pipeline"]["params"]
    assert {repo for repo, _, _ in hub.asked} == {EMBEDDING}
    assert "pyannote_segmentation_3.0" in params["segmentation"]["checkpoint"]
    assert "plda" not in params


def test_the_hub_is_not_told_which_packages_are_installed(hub, store):
    located(COMMUNITY_1, store)
    assert all(agent.startswith("unknown/None; hf_hub/") and "torch" not in agent for _, _, agent in hub.asked)


def test_the_caches_of_other_tests_are_those_that_the_client_lays_out(hub, tmp_path, store):
    located(COMMUNITY_1, store)
    lay_out(tmp_path / "made", COMMUNITY_1, REPOS[COMMUNITY_1])
    name = "models--pyannote--speaker-diarization-community-1"
    assert listing(tmp_path / "made" / name) == listing(tmp_path / "cache" / name)


def test_what_an_interrupted_download_lacks_is_fetched(hub, store, tmp_path):
    snapshot = located(COMMUNITY_1, store).folder
    shutil.rmtree(snapshot / "plda")
    assert located(COMMUNITY_1, store).folder == snapshot
    assert (snapshot / "plda" / "plda.npz").read_bytes() == b"plda"


def test_what_the_model_store_lacks_is_fetched(hub, store):
    (lay_out(store, COMMUNITY_1, REPOS[COMMUNITY_1]) / "embedding" / "pytorch_model.bin").unlink()
    assert (located(COMMUNITY_1, store).folder / "embedding" / "pytorch_model.bin").read_bytes() == b"embedding"


def test_a_token_whose_owner_has_not_accepted_the_terms(hub, store):
    message = fault(COMMUNITY_1, store, token="hf_other")
    assert message.startswith(
        f"the model {COMMUNITY_1} refuses this Hugging Face token: accept its terms at https://hf.co/{COMMUNITY_1} "
        f"with the account that owns the token, and see at {TOKENS}"
    )


def test_a_gated_model_nobody_has_listed_asks_for_a_token(hub, store):
    hub.gated = {EMBEDDING}
    lay_out(store, PIPELINE_31, REPOS[PIPELINE_31])
    assert fault(PIPELINE_31, store, token="").startswith(
        f"the model {EMBEDDING}, which {PIPELINE_31} is made of, is not on this machine, and downloading it needs a "
        f"Hugging Face token: accept its terms at https://hf.co/{EMBEDDING}, create a token at {TOKENS} and set "
        "HUGGINGFACE_ACCESS_TOKEN"
    )


@pytest.mark.parametrize(
    ("status", "code", "said"),
    [
        (403, "", "refuses this Hugging Face token: accept its terms"),  # a token that may not read gated repos
        (401, "", "the hub refuses the token in HUGGINGFACE_ACCESS_TOKEN: create a new one at"),
        (404, "RepoNotFound", f"the hub has no model {COMMUNITY_1}"),
        (503, "", "could not be downloaded: check https://hf.co, which answered with status 503, or put the model"),
    ],
)
def test_what_else_the_hub_may_answer(hub, store, status, code, said):
    hub.faults = {COMMUNITY_1: (status, code)}
    assert said in fault(COMMUNITY_1, store)


def test_without_a_network_what_is_missing_is_named_with_the_other_places(hub, store):
    (lay_out(store, COMMUNITY_1, REPOS[COMMUNITY_1]) / "plda" / "plda.npz").unlink()
    with no_network() as attempts:
        message = fault(COMMUNITY_1, store)
    assert attempts
    assert message == (
        f"the model {COMMUNITY_1} lacks plda/plda.npz on this machine and could not be downloaded: check network and "
        "disk space, or put the model into the folder MODEL_STORE names, or into the image at build time "
        f"(`hf download {COMMUNITY_1}`)"
    )


def test_offline_mode_asks_nothing_of_anybody(hub, store, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    lay_out(store, PIPELINE_31, REPOS[PIPELINE_31])
    assert fault(PIPELINE_31, store).startswith(
        f"the model {EMBEDDING}, which {PIPELINE_31} is made of, is not on this machine, and HF_HUB_OFFLINE forbids "
        "downloading it: put the model into the folder MODEL_STORE names, or into the image"
    )
    assert hub.asked == []


def test_a_model_without_what_is_needed_is_not_taken_for_one(hub, store):
    with pytest.raises(ConfigurationError) as caught:
        find_model(EMBEDDING, store=store, token="", required=("config.yaml",))
    assert caught.value.message.startswith(
        f"the model {EMBEDDING} lacks config.yaml on this machine, and the hub gave none: see at "
        f"https://hf.co/{EMBEDDING} whether it is the right model"
    )
