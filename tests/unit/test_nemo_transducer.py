"""Which checkpoints are built of NeMo's parts; all others are NeMo's own business."""

import copy
from pathlib import Path

import pytest

from common.errors import ConfigurationError
from handlers.nemo.transducer import MODULES, TARGET, Transducer, is_transducer

CONFIG = {
    "target": TARGET,
    "preprocessor": {"_target_": f"{MODULES}.AudioToMelSpectrogramPreprocessor", "features": 80},
    "encoder": {"_target_": f"{MODULES}.ConformerEncoder", "n_layers": 2},
    "decoder": {"_target_": f"{MODULES}.RNNTDecoder", "prednet": {"pred_hidden": 8}},
    "joint": {"_target_": f"{MODULES}.RNNTJoint", "jointnet": {"joint_hidden": 8}},
    "tokenizer": {"dir": "tokenizers", "type": "bpe", "model_path": "nemo:1_tokenizer.model"},
    "model_defaults": {"enc_hidden": 8, "pred_hidden": 8},
    "decoding": {"strategy": "greedy_batch"},
    "loss": {"loss_name": "tdt", "tdt_kwargs": {"durations": [0, 1]}},
}


def changed(path, value):
    config = copy.deepcopy(CONFIG)
    *parents, last = path.split("/")
    found = config
    for parent in parents:
        found = found[parent]
    found[last] = value
    return config


@pytest.mark.parametrize(
    "config",
    [
        CONFIG,
        changed("loss", None),
        changed("loss", {"loss_name": "default"}),
        changed("loss", "default"),
        changed("optim", {"_target_": "any.Optimizer"}),
    ],
)
def test_parakeets_are(config):
    assert is_transducer(config)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("target", "nemo.collections.asr.models.hybrid_rnnt_ctc_bpe_models.EncDecHybridRNNTCTCBPEModel"),
        ("encoder/_target_", f"{MODULES}.ConvASREncoder"),
        ("encoder", None),
        ("joint/jointnet", {"_target_": "some.Module"}),
        ("adapters", {}),
        ("tokenizer", None),
        ("tokenizer", "bpe"),
        ("tokenizer/type", "agg"),
        ("tokenizer/model_path", "tokenizers/tokenizer.model"),
        ("tokenizer/model_path", "nemo:../tokenizer.model"),
        ("tokenizer/custom_tokenizer", {"_target_": "some.Tokenizer"}),
        ("loss/loss_name", "multiblank_rnnt"),
        ("encoder/n_layers", "${model_defaults.layers}"),
    ],
)
def test_others_are_not(path, value):
    assert not is_transducer(changed(path, value))


@pytest.mark.parametrize("config", [None, [], "text", {}])
def test_what_is_no_configuration_is_not(config):
    assert not is_transducer(config)


@pytest.mark.parametrize("value", [None, "x"])
@pytest.mark.parametrize(
    "path",
    [
        "decoding",
        "model_defaults/enc_hidden",
        "model_defaults/pred_hidden",
        "joint/jointnet",
        "loss/tdt_kwargs/durations",
    ],
)
def test_a_configuration_that_lacks_something_says_what(path, value):
    with pytest.raises(ConfigurationError) as caught:
        Transducer(changed(path, value), Path())
    assert caught.value.message == f"the configuration in the model's checkpoint has no {path.replace('/', '.')}"


@pytest.mark.parametrize("section", ["model_defaults", "loss/tdt_kwargs"])
def test_a_configuration_that_lacks_a_section_says_what_of_it(section):
    with pytest.raises(ConfigurationError, match=f"has no {section.replace('/', '.')}\\.[a-z_]+$"):
        Transducer(changed(section, None), Path())
