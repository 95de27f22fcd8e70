"""What a user reads when a model cannot be had; the hub's client is replaced, nothing here uses the network."""

import pytest
from huggingface_hub import errors

from common.errors import ConfigurationError
from handlers.hub import find_model

PIPELINE = "pyannote/speaker-diarization-3.1"
PARAKEET = "nvidia/parakeet-tdt-0.6b-v2"
TOKENS = "https://hf.co/settings/tokens"


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """A hub; set `cached` to a folder in the local cache, `error` to what a download raises; read `calls`."""

    class Hub:
        def __init__(self):
            self.error = None
            self.calls = []
            self.cached = None

        def snapshot_download(self, repo_id, *, allow_patterns=None, token=None, local_files_only=False):
            if local_files_only and self.cached is not None:
                return str(self.cached)
            if local_files_only:
                raise errors.LocalEntryNotFoundError("not cached")
            self.calls.append((repo_id, allow_patterns, token))
            if self.error:
                raise self.error
            return str(self.downloaded)

    fake = Hub()
    fake.downloaded = tmp_path / "downloaded"
    fake.downloaded.mkdir()
    for name in ("a.yaml", "m.nemo"):
        (fake.downloaded / name).touch()
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("huggingface_hub.snapshot_download", fake.snapshot_download)
    monkeypatch.setattr("huggingface_hub.get_token", lambda: None)
    return fake


def http_error(kind, status):
    module = errors.HfHubHTTPError.__mro__[1].__module__.split(".")[0]
    client = pytest.importorskip(module)
    request = client.Request("GET", "https://huggingface.co/x")
    return kind("refused", response=client.Response(status, request=request))


def message_of(repo_id, tmp_path, *, token="hf_x"):
    with pytest.raises(ConfigurationError) as caught:
        find_model(repo_id, store=tmp_path, token=token)
    assert "\n" not in caught.value.message
    return caught.value.message


def test_the_model_store_comes_first(hub, tmp_path):
    folder = tmp_path / "models--nvidia--parakeet-tdt-0.6b-v2" / "snapshots" / "abc"
    folder.mkdir(parents=True)
    assert find_model(PARAKEET, store=tmp_path, token="") == folder
    assert hub.calls == []


@pytest.mark.parametrize(
    ("there", "calls"), [((), 1), (("a.yaml",), 1), (("m.nemo",), 1), (("a.yaml", "m.nemo"), 0), (("a.yaml", "-"), 1)]
)
def test_a_cached_folder_counts_only_with_the_files_that_are_required(hub, tmp_path, there, calls):
    hub.cached = tmp_path / "cached"
    hub.cached.mkdir()
    for name in there:
        (hub.cached / name).touch()
    if "-" in there:  # the hub's cache links to files; of an interrupted download the link's end may be missing
        (hub.cached / "m.nemo").symlink_to("nowhere")
    found = find_model(PARAKEET, store=tmp_path, token="", required=("*.yaml", "*.nemo"))
    assert len(hub.calls) == calls
    assert found == (hub.downloaded if calls else hub.cached)


def test_an_incomplete_model_store_is_passed_over(hub, tmp_path):
    (tmp_path / "models--nvidia--parakeet-tdt-0.6b-v2" / "snapshots" / "abc").mkdir(parents=True)
    assert find_model(PARAKEET, store=tmp_path, token="", required=("*.nemo",)) == hub.downloaded


def test_a_model_on_the_hub_is_downloaded_with_the_token(hub, tmp_path):
    assert find_model(PIPELINE, store=tmp_path, token="hf_x", files=("*.bin",)) == hub.downloaded
    assert hub.calls == [(PIPELINE, ["*.bin"], "hf_x")]


def test_an_open_model_needs_no_token(hub, tmp_path):
    find_model(PARAKEET, store=tmp_path, token="")
    assert hub.calls == [(PARAKEET, None, None)]


def test_a_gated_model_without_a_token_is_refused_before_the_network(hub, tmp_path):
    message = message_of(PIPELINE, tmp_path, token="")
    assert hub.calls == []
    assert f"https://hf.co/{PIPELINE}" in message
    assert "https://hf.co/pyannote/segmentation-3.0" in message
    assert TOKENS in message
    assert "HUGGINGFACE_ACCESS_TOKEN" in message
    assert "DIARIZATION_MODEL=bundled" in message


def test_terms_not_accepted_name_the_pages_to_accept_them(hub, tmp_path):
    hub.error = http_error(errors.GatedRepoError, 403)
    message = message_of(PIPELINE, tmp_path)
    assert "accept its terms at https://hf.co/pyannote/speaker-diarization-3.1" in message
    assert "https://hf.co/pyannote/segmentation-3.0" in message
    assert TOKENS in message


def test_terms_of_a_model_that_needs_no_token_elsewhere_ask_for_one(hub, tmp_path):
    hub.error = http_error(errors.GatedRepoError, 401)
    message = message_of(PARAKEET, tmp_path, token="")
    assert f"needs a Hugging Face token: accept its terms at https://hf.co/{PARAKEET}, create a token" in message


def test_an_unknown_model_names_the_page_to_check(hub, tmp_path):
    hub.error = http_error(errors.RepositoryNotFoundError, 404)
    assert "the hub has no model nvidia/parakeet-tdt-0.6b-v2" in message_of(PARAKEET, tmp_path)


def test_a_token_that_is_not_valid_says_so(hub, tmp_path):
    hub.error = http_error(errors.HfHubHTTPError, 401)
    assert "the hub refuses the token in HUGGINGFACE_ACCESS_TOKEN" in message_of(PARAKEET, tmp_path)


def test_the_status_is_found_behind_an_error_of_the_client_itself(hub, tmp_path):
    hub.error = errors.LocalEntryNotFoundError("cannot reach the hub")
    hub.error.__cause__ = http_error(errors.HfHubHTTPError, 403)  # a token that may not read gated repos
    assert "refuses this Hugging Face token: accept its terms" in message_of(PIPELINE, tmp_path)


def test_a_hub_that_is_down_is_named_with_its_status(hub, tmp_path):
    hub.error = http_error(errors.HfHubHTTPError, 503)
    assert "https://hf.co, which answered with status 503" in message_of(PARAKEET, tmp_path)


@pytest.mark.parametrize(
    "error", [errors.LocalEntryNotFoundError("offline"), errors.OfflineModeIsEnabled("off"), OSError("no space")]
)
def test_without_a_network_the_other_ways_are_named(hub, tmp_path, error):
    hub.error = error
    message = message_of(PARAKEET, tmp_path)
    assert "check network and disk space" in message
    assert "MODEL_STORE" in message


def test_a_name_that_is_no_id_is_refused(hub, tmp_path):
    assert "neither a model on this machine nor a hub id" in message_of("parakeet", tmp_path)


def test_a_folder_of_the_image_comes_last_before_the_hub(hub, tmp_path):
    baked = tmp_path / "baked"
    baked.mkdir()
    (baked / "m.nemo").touch()
    find = {"store": tmp_path / "store", "token": "", "baked": baked}
    assert find_model(PARAKEET, required=("*.nemo",), **find) == baked
    assert find_model(PARAKEET, required=("*.nemo", "*.yaml"), **find) == hub.downloaded
    hub.cached = hub.downloaded
    assert find_model(PARAKEET, required=("*.nemo",), **find) == hub.cached


def test_the_cache_is_not_looked_at_for_a_model_in_the_model_store(hub, tmp_path, monkeypatch):
    (tmp_path / "models--nvidia--parakeet-tdt-0.6b-v2" / "snapshots" / "abc").mkdir(parents=True)
    monkeypatch.setattr("handlers.hub.hub_client", None)
    assert find_model(PARAKEET, store=tmp_path, token="").name == "abc"


def test_a_commit_in_the_cache_without_a_ref_is_found(hub, tmp_path):
    pinned = tmp_path / "cache" / "models--nvidia--parakeet-tdt-0.6b-v2" / "snapshots" / "abc"
    pinned.mkdir(parents=True)
    assert find_model(PARAKEET, store=tmp_path, token="") == pinned


def test_offline_mode_comes_before_the_token(hub, tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    message = message_of(PIPELINE, tmp_path, token="")
    assert message == (
        f"the model {PIPELINE} is not on this machine, and HF_HUB_OFFLINE forbids downloading it: put the model into "
        f"the folder MODEL_STORE names, or into the image at build time (`hf download {PIPELINE}`)"
    )
    assert hub.calls == []


def test_a_download_that_ends_without_what_is_required_says_what_is_missing(hub, tmp_path):
    with pytest.raises(ConfigurationError) as caught:
        find_model(PARAKEET, store=tmp_path, token="", required=("*.nemo", "vocab.txt"), part_of="my/pipeline")
    assert caught.value.message.startswith(
        f"the model {PARAKEET}, which my/pipeline is made of, lacks vocab.txt on this machine, and the hub gave none: "
        f"see at https://hf.co/{PARAKEET} whether it is the right model, check the network, or put the model into"
    )
