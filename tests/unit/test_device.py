import os
import pickle
import tarfile

import pytest
import torch

from common.errors import ConfigurationError
from handlers.device import first_line, let_others_compute, load_with_fallback, pick_device, report_to_nobody


class Engine:
    def __init__(self, device):
        self.device = device
        self.warnings = ()


def failing(*devices, error=None):
    def load(device):
        if device in devices:
            raise error or RuntimeError(f"{device} is broken\nlong explanation")
        return Engine(device)

    return load


def test_an_explicit_device_is_not_questioned():
    assert pick_device("cuda") == "cuda"


@pytest.mark.parametrize(
    ("cuda", "mps", "expected"), [(True, True, "cuda"), (False, True, "mps"), (False, False, "cpu")]
)
def test_auto_is_the_best_device_there_is(monkeypatch, cuda, mps, expected):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert pick_device("auto") == expected


def test_a_gpu_that_works_gives_no_warning():
    engine = load_with_fallback(failing("cpu"), "cuda")
    assert (engine.device, engine.warnings) == ("cuda", ())


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("cuDNN error: CUDNN_STATUS_NOT_INITIALIZED"),
        AssertionError("Torch not compiled with CUDA enabled"),
        ValueError("unsupported device cuda"),
        OSError("libcudnn_ops.so.9: cannot open shared object file"),
    ],
)
def test_a_gpu_that_fails_gives_a_cpu_engine_that_says_so(error):
    engine = load_with_fallback(failing("cuda", error=error), "cuda")
    assert engine.device == "cpu"
    assert engine.warnings == (f"the device cuda failed, so the model runs on the CPU: {error}",)


def test_when_the_cpu_fails_too_the_message_says_what_to_check():
    with pytest.raises(ConfigurationError, match="cannot be loaded: cpu is broken; check its files"):
        load_with_fallback(failing("cuda", "cpu"), "cuda")


@pytest.mark.parametrize("device", ["cpu", "cuda"])
@pytest.mark.parametrize(
    "error",
    [
        KeyError("state_dict"),
        IndexError("list index out of range"),
        pickle.UnpicklingError("invalid load key"),
        tarfile.ReadError("not a gzip file"),
        AttributeError("no attribute encoder"),
        EOFError(),
    ],
)
def test_a_file_that_is_no_model_is_a_mistake_in_the_configuration_on_every_device(device, error):
    with pytest.raises(ConfigurationError, match="the model cannot be loaded: "):
        load_with_fallback(failing("cuda", "cpu", error=error), device)


def test_a_mistake_in_the_configuration_is_not_tried_again():
    tried = []

    def load(device):
        tried.append(device)
        raise ConfigurationError("no token")

    with pytest.raises(ConfigurationError, match="no token"):
        load_with_fallback(load, "cuda")
    assert tried == ["cuda"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("one\ntwo", "one"),
        ("", "RuntimeError"),
        ("cannot open /usr/lib/x86_64/libcudnn.so.9 now", "cannot open libcudnn.so.9 now"),
        ("see http://www.nvidia.com/Download/index.aspx", "see http://www.nvidia.com/Download/index.aspx"),
        ("x" * 300, "x" * 200),
    ],
)
def test_reasons_are_one_short_line_without_paths(text, expected):
    assert first_line(RuntimeError(text)) == expected


def test_idle_threads_sleep_unless_the_user_says_otherwise(monkeypatch):
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    let_others_compute()
    assert os.environ["OMP_WAIT_POLICY"] == "PASSIVE"
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    let_others_compute()
    assert os.environ["OMP_WAIT_POLICY"] == "ACTIVE"


def test_no_package_reports_to_its_maker_whatever_the_environment_says(monkeypatch):
    names = ("PYANNOTE_METRICS_ENABLED", "HF_HUB_DISABLE_TELEMETRY", "ORT_DISABLE_TELEMETRY")
    for name, value in zip(names, ("true", "0", "0"), strict=True):
        monkeypatch.setenv(name, value)
    report_to_nobody()
    assert [os.environ[name] for name in names] == ["0", "1", "1"]
