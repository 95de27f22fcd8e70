"""Figures of the GPUs, from a stand-in of NVIDIA's library."""

# ruff: noqa: N802 - the names are NVIDIA's

import sys
from types import ModuleType, SimpleNamespace

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from common.gpu_metrics import GpuCollector
from tests.support.metric_lines import samples_in


class FakeNvml(ModuleType):
    """Two GPUs; whatever is in `broken` raises."""

    NVMLError = type("NVMLError", (Exception,), {})

    def __init__(self, *, broken=()):
        super().__init__("pynvml")
        self.broken = set(broken)
        self.open = 0

    def _check(self, *what):
        if self.broken & set(what):
            raise self.NVMLError("not supported")

    def nvmlInit(self):
        self._check("init")
        self.open += 1

    def nvmlShutdown(self):
        self.open -= 1

    def nvmlDeviceGetCount(self):
        self._check("count")
        return 2

    def nvmlDeviceGetHandleByIndex(self, index):
        self._check(f"gpu-{index}")
        return f"handle-{index}"

    def nvmlDeviceGetMemoryInfo(self, handle):
        self._check("memory")
        return SimpleNamespace(used=1000 if handle == "handle-0" else 2000, total=8000)

    def nvmlDeviceGetUtilizationRates(self, handle):
        self._check("utilization")
        return SimpleNamespace(gpu=0 if handle == "handle-0" else 75)


@pytest.fixture
def samples(monkeypatch):
    def read(nvml):
        monkeypatch.setitem(sys.modules, "pynvml", nvml)
        registry = CollectorRegistry()
        registry.register(GpuCollector())
        return samples_in(generate_latest(registry).decode())

    return read


USED, TOTAL, BUSY = "parley_gpu_memory_used_bytes", "parley_gpu_memory_total_bytes", "parley_gpu_utilization_ratio"


def test_every_gpu_has_its_memory_and_utilisation(samples):
    nvml = FakeNvml()
    assert samples(nvml) == {
        (USED, "0"): 1000,
        (USED, "1"): 2000,
        (TOTAL, "0"): 8000,
        (TOTAL, "1"): 8000,
        (BUSY, "0"): 0.0,
        (BUSY, "1"): 0.75,
    }
    assert nvml.open == 0


def test_what_a_gpu_does_not_tell_is_left_out(samples):
    assert samples(FakeNvml(broken=["utilization", "gpu-0"])) == {(USED, "1"): 2000, (TOTAL, "1"): 8000}
    assert samples(FakeNvml(broken=["memory"])) == {(BUSY, "0"): 0.0, (BUSY, "1"): 0.75}


@pytest.mark.parametrize("nvml", [None, FakeNvml(broken=["init"]), FakeNvml(broken=["count"])])
def test_without_library_driver_or_gpu_there_are_no_such_metrics(samples, nvml):
    assert samples(nvml) == {}
