import pytest

from common.settings import load_settings
from orchestrator import doctor
from tests.support.fake_hub import FakeHub


@pytest.fixture(autouse=True)
def no_server(tmp_path, monkeypatch):
    """Whatever is served on this machine, or was."""
    monkeypatch.setenv("DATA_FOLDER", str(tmp_path))
    monkeypatch.setenv("SERVER_PORT", "0")


def examined(env, hub=None):
    lines = []
    well = doctor.examine(load_settings(env), say=lines.append, hub=hub or FakeHub())
    return well, "\n".join(lines)


def test_a_laptop_is_well_without_asking_the_hub():
    hub = FakeHub()
    well, text = examined({"PARLEY_PROFILE": "laptop"}, hub)
    assert well, text
    assert "diarization model bundled (on this machine)" in text
    assert "transcription     bundled (on this machine)" in text
    assert "server's address  127.0.0.1:0 is free" in text
    assert "FAIL" not in text
    assert hub.asked == []


@pytest.mark.parametrize(("profile", "other"), [("laptop", "runpod"), ("runpod", "laptop")])
def test_the_first_line_names_the_profile_and_how_to_examine_the_other(profile, other):
    _, text = examined({"PARLEY_PROFILE": profile})
    expected = f"ok   profile           {profile}; to examine the other: PARLEY_PROFILE={other} parley doctor"
    assert text.splitlines()[0] == expected


def test_a_missing_token_is_told_with_its_cure():
    well, text = examined({})
    assert not well
    assert "https://hf.co/pyannote/speaker-diarization-3.1" in text
    assert "HUGGINGFACE_ACCESS_TOKEN" in text


def test_a_token_that_the_hub_refuses_is_no_pass():
    well, text = examined({"HF_TOKEN": "hf_x"}, FakeHub(access={"pyannote/speaker-diarization-3.1": "gated"}))
    assert not well
    assert "accept the terms on https://hf.co/pyannote/speaker-diarization-3.1" in text
    assert "hf_x" not in text


@pytest.mark.parametrize(
    ("env", "words"),
    [
        ({"MODEL_ID": "/no/such.nemo"}, "no such .nemo file"),
        ({"DIARIZATION_MODEL": "/no/such"}, "set DIARIZATION_MODEL to"),
        ({"DIARIZATION_ENDPOINT_ID": "x"}, "set RUNPOD_API_KEY"),
    ],
)
def test_what_is_wrong_is_named_and_the_report_goes_on(env, words):
    well, text = examined({"DIARIZATION_MODEL": "bundled", **env})
    assert not well
    assert words in text
    assert "memory" in text


@pytest.mark.parametrize(
    ("model", "package"),
    [("bundled", "pyannote.audio"), ("nvidia/diar_streaming_sortformer_4spk-v2", "nemo_toolkit")],
)
def test_the_package_that_runs_the_model_is_asked_for(monkeypatch, model, package):
    monkeypatch.setattr(doctor, "version", lambda name: f"version of {name}")
    _, text = examined({"DIARIZATION_MODEL": model, "TRANSCRIPTION_ENGINE": "whisper"})
    shown = [name for name in ("pyannote.audio", "nemo_toolkit") if f"version of {name}" in text]
    assert shown == [package]


@pytest.mark.parametrize(("here", "words"), [(True, "models are installed"), (False, "`make install` brings them")])
def test_local_use_is_told_but_never_a_failure(monkeypatch, here, words):
    monkeypatch.setattr(doctor, "bundled_models_are_here", lambda: here)
    [line] = [line for line in examined({})[1].splitlines() if line[5:].startswith("local use")]
    assert line.startswith("ok   local use")
    assert words in line


def test_missing_packages_memory_disk_and_python_have_cures(monkeypatch):
    def missing(_):
        raise doctor.PackageNotFoundError

    monkeypatch.setattr(doctor, "version", missing)
    monkeypatch.setattr(doctor, "MIN_FREE_BYTES", 10**18)
    monkeypatch.setattr(doctor, "MIN_MEMORY_BYTES", 10**18)
    monkeypatch.setattr(doctor, "MIN_PYTHON", (4, 0))
    well, text = examined({"PARLEY_PROFILE": "laptop"})
    assert not well
    for cure in ("'.[diarization]'", "'.[transcription]'", "free some space", "4 GiB", "install Python 3.11"):
        assert cure in text
    assert "parley[" not in text
