import pytest

from common.settings import load_settings
from orchestrator import doctor


def examined(env):
    lines = []
    well = doctor.examine(load_settings(env), say=lines.append)
    return well, "\n".join(lines)


def test_a_laptop_is_well():
    well, text = examined({"PARLEY_PROFILE": "laptop"})
    assert well, text
    assert "bundled (on this machine)" in text
    assert "FAIL" not in text


def test_a_missing_token_is_told_with_its_cure():
    well, text = examined({})
    assert not well
    assert "https://hf.co/pyannote/speaker-diarization-3.1" in text
    assert "HUGGINGFACE_ACCESS_TOKEN" in text


def test_a_cached_model_needs_no_token(tmp_path):
    snapshot = tmp_path / "models--pyannote--speaker-diarization-3.1" / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    well, text = examined({"MODEL_STORE": str(tmp_path)})
    assert well, text
    assert "in the Model Store" in text


@pytest.mark.parametrize(
    ("env", "words"),
    [
        ({"MODEL_ID": "/no/such.nemo"}, "no such .nemo file"),
        ({"DIARIZATION_ENDPOINT_ID": "x"}, "set RUNPOD_API_KEY"),
    ],
)
def test_what_is_wrong_is_named(env, words):
    well, text = examined({"DIARIZATION_MODEL": "bundled", **env})
    assert not well
    assert words in text


def test_missing_packages_memory_disk_and_python_have_cures(monkeypatch):
    def missing(_):
        raise doctor.PackageNotFoundError

    monkeypatch.setattr(doctor, "version", missing)
    monkeypatch.setattr(doctor, "MIN_FREE_BYTES", 10**18)
    monkeypatch.setattr(doctor, "MIN_MEMORY_BYTES", 10**18)
    monkeypatch.setattr(doctor, "MIN_PYTHON", (4, 0))
    well, text = examined({"PARLEY_PROFILE": "laptop"})
    assert not well
    for cure in ("parley[diarization]", "parley[transcription]", "free some space", "4 GiB", "install Python 3.11"):
        assert cure in text
