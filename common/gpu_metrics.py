"""Memory and utilisation of the GPUs, by NVIDIA's management library, at the moment they are asked for."""

from collections.abc import Iterator
from typing import Any

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector


class GpuCollector(Collector):
    """One sample per GPU; none where there is no `pynvml`, no driver or no GPU, or the GPU does not tell."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Ask all GPUs now."""
        used = GaugeMetricFamily("parley_gpu_memory_used_bytes", "GPU memory in use, by anybody", labels=["gpu"])
        total = GaugeMetricFamily("parley_gpu_memory_total_bytes", "GPU memory there is", labels=["gpu"])
        busy = GaugeMetricFamily(
            "parley_gpu_utilization_ratio",
            "Share of the last moments in which the GPU computed, 0 to 1",
            labels=["gpu"],
        )
        for gpu, nvml, handle in _gpus():
            if memory := _told(nvml, nvml.nvmlDeviceGetMemoryInfo, handle):
                used.add_metric([gpu], memory.used)
                total.add_metric([gpu], memory.total)
            if rates := _told(nvml, nvml.nvmlDeviceGetUtilizationRates, handle):
                busy.add_metric([gpu], rates.gpu / 100)
        return (family for family in (used, total, busy) if family.samples)


def _gpus() -> Iterator[tuple[str, Any, Any]]:
    try:
        import pynvml  # noqa: PLC0415 - only on machines with a GPU
    except ImportError:
        return
    if _told(pynvml, pynvml.nvmlInit) is False:
        return
    try:
        for index in range(_told(pynvml, pynvml.nvmlDeviceGetCount) or 0):
            if handle := _told(pynvml, pynvml.nvmlDeviceGetHandleByIndex, index):
                yield str(index), pynvml, handle
    finally:
        _told(pynvml, pynvml.nvmlShutdown)


def _told(nvml: Any, function: Any, *args: Any) -> Any:  # noqa: ANN401 - the library has no types
    """Return what NVML says, False where it cannot."""
    try:
        return function(*args)
    except nvml.NVMLError:
        return False
