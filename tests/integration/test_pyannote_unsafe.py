"""Checkpoints that would run code when they are loaded, and honest ones with more than tensors, which may be loaded."""

import argparse
import collections
import io
import os
import pathlib
import pickle

import numpy as np
import pytest

from common.errors import ConfigurationError
from common.settings import load_settings
from handlers.diarization.checkpoint_safety import refuse_unsafe
from handlers.diarization.engines import find_engine
from handlers.diarization.pyannote_import import import_pyannote
from tests.support.pyannote_repos import COMMUNITY_1, repos

pytestmark = pytest.mark.model

SEGMENTATION_FILE = "segmentation/pytorch_model.bin"


class Evil:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder):
        self._folder = str(folder)

    def __reduce__(self):
        return os.mkdir, (self._folder,)


def changed(data, **further):
    import torch  # noqa: PLC0415 - slow

    import_pyannote()
    content = torch.load(io.BytesIO(data), map_location="cpu", weights_only=False)
    file = io.BytesIO()
    torch.save(content | further, file)
    return file.getvalue()


def pipeline_with(folder, file, data):
    for name, own in {**repos()[COMMUNITY_1], file: data}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(own)
    return folder


def load(folder, pipeline):
    environment = {"DIARIZATION_MODEL": str(folder), "DIARIZATION_DEVICE": "cpu", "DIARIZATION_PIPELINE": pipeline}
    return find_engine(load_settings(environment).diarization)()


@pytest.mark.parametrize("pipeline", ["fast", "stock"])
@pytest.mark.parametrize(
    ("file", "what"), [(SEGMENTATION_FILE, "segmentation model"), ("embedding/pytorch_model.bin", "speaker embedding")]
)
def test_a_checkpoint_that_runs_code_is_refused_before_it_does(tmp_path, file, what, pipeline):
    data = changed(repos()[COMMUNITY_1][file], callbacks=Evil(tmp_path / "ran"))
    with pytest.raises(ConfigurationError) as caught:
        load(pipeline_with(tmp_path / "mine", file, data), pipeline)
    held = f"its checkpoint holds more than tensors ({os.name}.mkdir), which is not safe to load"
    assert caught.value.message.startswith(f"the {what} of mine is refused: {held}; ")
    assert not (tmp_path / "ran").exists()


@pytest.mark.filterwarnings("ignore:Detected pickle protocol 5:UserWarning")
@pytest.mark.parametrize("protocol", [0, 2, 5])
def test_a_bare_pickle_is_refused(tmp_path, protocol):
    (tmp_path / "model.bin").write_bytes(pickle.dumps(Evil(tmp_path / "ran"), protocol))
    with pytest.raises(ConfigurationError, match="more than tensors"):
        refuse_unsafe(tmp_path / "model.bin", what="the model")
    assert not (tmp_path / "ran").exists()


def hyper_parameters():
    """Yield hyperparameters by which lightning would import a function and call it, and their key."""
    from omegaconf import OmegaConf  # noqa: PLC0415 - slow

    named = {"_instantiator": "os.mkdir"}
    return {"hyper_parameters": [named, OmegaConf.create(named), argparse.Namespace(**named)], "hparams": [named]}


def test_a_checkpoint_that_names_a_function_to_call_is_refused(tmp_path):
    for key, values in hyper_parameters().items():
        for value in values:
            (tmp_path / "pytorch_model.bin").write_bytes(
                changed(repos()[COMMUNITY_1][SEGMENTATION_FILE], **{key: value})
            )
            with pytest.raises(ConfigurationError, match=r"names code to run \(_instantiator\)"):
                refuse_unsafe(tmp_path, what="the model")


def test_what_honest_checkpoints_hold_is_not_refused(tmp_path):
    import_pyannote()
    from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint  # noqa: PLC0415 - after pyannote
    from lightning.pytorch.utilities.parsing import AttributeDict  # noqa: PLC0415
    from omegaconf import OmegaConf  # noqa: PLC0415 - slow
    from pyannote.audio.core.model import Introspection  # noqa: PLC0415
    from pyannote.core import Segment, SlidingWindow  # noqa: PLC0415

    config = OmegaConf.create({"lstm": {"hidden_size": 128, "dropout": 0.5, "names": ["a", None, True]}})
    further = {
        "hyper_parameters": config,
        "hparams_type": type(config),
        "callbacks": {ModelCheckpoint: {"best_model_score": np.float32(0.5)}, EarlyStopping: {"wait_count": 3}},
        "datamodule_hyper_parameters": AttributeDict(root=pathlib.PosixPath("corpus"), array=np.arange(3.0)),
        "loops": [collections.defaultdict(dict, a={}), argparse.Namespace(batch_size=32), Introspection()],
        "frames": {SlidingWindow(): Segment(0.0, 1.0)},
    }
    (tmp_path / "pytorch_model.bin").write_bytes(changed(repos()[COMMUNITY_1][SEGMENTATION_FILE], **further))
    refuse_unsafe(tmp_path, what="the model")


def test_an_honest_checkpoint_with_more_than_is_known_is_loaded_by_pyannote(tmp_path):
    import_pyannote()
    from lightning.pytorch.callbacks import ModelCheckpoint  # noqa: PLC0415 - after pyannote

    data = changed(repos()[COMMUNITY_1][SEGMENTATION_FILE], callbacks={ModelCheckpoint: {}})
    engine = load(pipeline_with(tmp_path / "mine", SEGMENTATION_FILE, data), "fast")
    assert type(engine._pipeline).__name__ == "SpeakerDiarization"
    assert engine.embedding_dimension == 256
