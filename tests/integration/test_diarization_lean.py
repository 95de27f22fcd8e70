"""The engine that is loaded without importing pyannote against the one that pyannote loads."""

import dataclasses
import json
import logging
import subprocess
import sys

import pytest

from common.settings import load_settings
from handlers.diarization.engine import SpeakerCount
from handlers.diarization.engines import find_engine
from handlers.diarization.fast_pipeline import FastPipeline
from handlers.diarization.lean_pipeline import load_parts
from handlers.diarization.parts import parts_of
from handlers.diarization.pipelines import build, locate
from tests.support.pyannote_repos import COMMUNITY_1, CONFIG_31, EMBEDDING, PIPELINE_31, SEGMENTATION, repos
from tests.support.pyannote_sample import excerpt

pytestmark = pytest.mark.model

SPAN_S = (5.0, 17.0)  # two speakers, three windows
BUNDLED = {"DIARIZATION_MODEL": "bundled", "DIARIZATION_DEVICE": "cpu"}
EXPECTED_WARNINGS = pytest.mark.filterwarnings(  # of one frame, while pyannote looks for the shortest audio
    r"ignore:std\(\). degrees of freedom:UserWarning"
)
# what `import pyannote.audio` imports, and a worker never uses
HEAVY = {
    *("lightning", "matplotlib", "opentelemetry", "optuna", "pandas", "pytorch_lightning", "sklearn", "torchmetrics"),
    *("torch_audiomentations", "torchcodec", "transformers"),
}


def located(**environment):
    return locate(load_settings(environment | {"DIARIZATION_DEVICE": "cpu"}).diarization)


def fast(parts):
    return FastPipeline(parts, hop_s=1.0, device="cpu")


def parts_by_pyannote(one):
    return parts_of(build(one), device="cpu")


def found(engine, count=SpeakerCount()):  # noqa: B008 - frozen
    return engine(excerpt(*SPAN_S), count=count, tick=lambda *_: None)


def parameters(parts):
    return {
        "segmentation": (parts.segmentation_step, parts.min_duration_off_s),
        "frames": (parts.segmentation.receptive_field.duration, parts.segmentation.receptive_field.step),
        "embedding": (parts.embedding_dimension, parts.embedding_min_samples, parts.embedding_exclude_overlap),
        "clustering": parts.clustering.parameters(instantiated=True),
    }


@EXPECTED_WARNINGS
def test_the_worker_finds_the_same_without_what_pyannote_imports():
    command = [sys.executable, "-m", "tests.support.diarization_in_process", json.dumps(SPAN_S), json.dumps(BUNDLED)]
    told = json.loads(subprocess.run(command, check=True, capture_output=True, timeout=300).stdout)
    theirs = parts_by_pyannote(located(**BUNDLED))
    assert told["found"] == json.loads(json.dumps(dataclasses.asdict(found(fast(theirs)))))
    assert parameters(theirs) == parameters(load_parts(located(**BUNDLED), device="cpu"))
    assert len({turn["speaker"] for turn in told["found"]["turns"]}) == 2
    packages = {name.partition(".")[0] for name in told["loaded"]}
    assert "torch" in packages
    assert packages & HEAVY == set()
    assert [name for name in told["loaded"] if name.startswith("pyannote.")] == []
    assert set(told["later"]) <= {"torch"}  # the first job imports nothing that takes time


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return what lays a pipeline out as a folder with its parts in it."""

    def lay_out(name, config=None):
        top = tmp_path_factory.mktemp("models") / "mine"
        files = {**repos()[name], **({} if config is None else {"config.yaml": config})}
        parts = {} if name == COMMUNITY_1 else {SEGMENTATION: repos()[SEGMENTATION], EMBEDDING: repos()[EMBEDDING]}
        files |= {f"{part}/{file}": data for part, own in parts.items() for file, data in own.items()}
        for file, data in files.items():
            (top / file).parent.mkdir(parents=True, exist_ok=True)
            (top / file).write_bytes(data)
        return located(DIARIZATION_MODEL=str(top))

    return lay_out


@EXPECTED_WARNINGS
@pytest.mark.parametrize(
    ("model", "count"), [(PIPELINE_31, SpeakerCount(exact=2)), (COMMUNITY_1, SpeakerCount(at_least=3))]
)
def test_pyannotes_pipelines_find_the_same_bit_for_bit(folder, model, count):
    one = folder(model)
    ours, theirs = load_parts(one, device="cpu"), parts_by_pyannote(one)
    assert parameters(ours) == parameters(theirs)
    result = found(fast(ours), count)
    assert result == found(fast(theirs), count)
    assert len(result.turns) > 2


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        (b"    segmentation_batch_size: 32\n", b"    legacy: false\n"),
        (b"version: 3.1.0\n", b"version: 5.0.0\n"),
        (b"version: 3.1.0\n", b"dependencies: {pyannote.audio: 3.1.0, numpy: 2.0.0}\n"),
        (b"clustering: AgglomerativeClustering", b"clustering: KMeansClustering"),
        (b"    min_cluster_size: 12\n", b""),
        (b"  segmentation:\n    min_duration_off: 0.0\n", b""),
    ],
    ids=["parameter", "version", "dependency", "clustering", "incomplete", "no segmentation"],
)
def test_what_is_not_known_is_left_to_pyannote(folder, caplog, was, becomes):
    assert was in CONFIG_31
    with caplog.at_level(logging.INFO):
        assert load_parts(folder(PIPELINE_31, CONFIG_31.replace(was, becomes)), device="cpu") is None
    assert [record.message.partition(" ")[0] for record in caplog.records] == ["loaded_by_pyannote"]


def test_a_pipeline_that_is_left_to_pyannote_runs_as_fast(folder):
    config = CONFIG_31.replace(b"    segmentation_batch_size: 32\n", b"    legacy: false\n")
    model = folder(PIPELINE_31, config).folder
    engine = find_engine(load_settings({"DIARIZATION_MODEL": str(model), "DIARIZATION_DEVICE": "cpu"}).diarization)()
    assert isinstance(engine._fast, FastPipeline)
    assert engine.embedding_dimension == 256
