"""Models put into an image when it is built: the step of the Dockerfiles, against a hub on loopback."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from common.settings import load_settings
from handlers.diarization.pipelines import locate
from handlers.hub import find_model
from tests.support.dockerfile import ROOT, Run, read_image
from tests.support.hub_server import hub_server
from tests.support.no_network import no_network
from tests.support.optional import needed

needed("huggingface_hub")
COMMUNITY_1, PARAKEET = "pyannote/speaker-diarization-community-1", "nvidia/parakeet-tdt-0.6b-v2"
CONFIG = (
    b"pipeline:\n  name: pyannote.audio.pipelines.SpeakerDiarization\n"
    b"  params: {segmentation: $model/segmentation, embedding: $model/embedding, plda: $model/plda}\n"
)
REPOS = {
    COMMUNITY_1: {
        "config.yaml": CONFIG,
        "segmentation/pytorch_model.bin": b"segmentation",
        "embedding/pytorch_model.bin": b"embedding",
        "plda/plda.npz": b"plda",
        "plda/xvec_transform.npz": b"transform",
    },
    PARAKEET: {"parakeet-tdt-0.6b-v2.nemo": b"weights", "model.safetensors": b"the same again", "README.md": b"card"},
}
TOKEN = "hf_good"
MOUNTED = "/run/secrets/hf_token"


@pytest.fixture
def hub():
    with hub_server(REPOS) as server:
        server.gated, server.granted = {COMMUNITY_1}, {TOKEN}
        yield server


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.get_token", lambda: None)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "home/hub"))
    return tmp_path / "home"


def baked(hub, home, dockerfile, models, *, secret):
    """Run the step that has the secret, as the builder does; the secret is where it would be mounted."""
    (step,) = [
        step for step in read_image(ROOT / dockerfile, MODELS=models).steps if isinstance(step, Run) and step.secrets
    ]
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    env = {**step.env, "PATH": path, "HOME": str(home), "HF_HOME": str(home), "HF_ENDPOINT": hub.url}
    command = step.command.replace(MOUNTED, str(secret))
    return subprocess.run(["/bin/sh", "-c", command], env=env, capture_output=True, text=True, check=False)


def test_a_worker_finds_what_was_put_into_its_image(hub, home, tmp_path):
    (tmp_path / "secret").write_text(f"{TOKEN}\n")
    done = baked(hub, home, ".runpod/Dockerfile", f"{COMMUNITY_1} {PARAKEET}", secret=tmp_path / "secret")
    assert done.returncode == 0, done.stderr
    with no_network():
        env = {"DIARIZATION_MODEL": COMMUNITY_1, "MODEL_STORE": str(tmp_path / "store")}
        pipeline = Path(locate(load_settings(env).diarization).folder)
        parakeet = find_model(PARAKEET, store=tmp_path, token="", files=("*.nemo",), required=("*.nemo",))
    assert (pipeline / "segmentation/pytorch_model.bin").read_bytes() == b"segmentation"
    assert (parakeet / "parakeet-tdt-0.6b-v2.nemo").read_bytes() == b"weights"
    assert not list(parakeet.glob("*.safetensors"))
    assert {TOKEN} <= {token for _, token, _ in hub.asked} <= {TOKEN, ""}


def test_the_token_is_in_no_file_of_the_image_and_not_in_what_the_builder_prints(hub, home, tmp_path):
    (tmp_path / "secret").write_text(TOKEN)
    done = baked(hub, home, "Dockerfile.diarization", COMMUNITY_1, secret=tmp_path / "secret")
    written = [path for path in home.rglob("*") if path.is_file()]
    assert len(written) >= 2
    assert not [path for path in written if TOKEN.encode() in path.read_bytes()]
    assert TOKEN not in done.stdout + done.stderr


def test_a_gated_model_without_a_token_fails_the_build(hub, home, tmp_path):
    done = baked(hub, home, "Dockerfile.diarization", COMMUNITY_1, secret=tmp_path / "none")
    assert done.returncode == 1
    assert "requires approval" in done.stderr


def test_no_models_need_no_token_and_no_hub(hub, home, tmp_path):
    done = baked(hub, home, "Dockerfile.transcription", "", secret=tmp_path / "none")
    assert (done.returncode, hub.asked) == (0, [])
    assert list(home.iterdir()) == []  # there, so that a volume in its place gets its owner
