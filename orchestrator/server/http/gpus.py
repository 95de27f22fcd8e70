"""The GPUs of this machine and their memory, by NVIDIA's management library."""

from collections.abc import Iterator
from typing import Any

from orchestrator.server.http.schemas import Gpu


def gpus() -> list[Gpu]:
    """Return what is told of the GPUs; none where there is no library, no driver or no GPU. Blocks."""
    try:
        import pynvml  # noqa: PLC0415 - only on machines with a GPU
    except ImportError:
        return []
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return []
    try:
        return list(_told(pynvml))
    finally:
        pynvml.nvmlShutdown()


def _told(nvml: Any) -> Iterator[Gpu]:  # noqa: ANN401 - the library has no types
    for index in range(nvml.nvmlDeviceGetCount()):
        try:
            handle = nvml.nvmlDeviceGetHandleByIndex(index)
            name, memory = nvml.nvmlDeviceGetName(handle), nvml.nvmlDeviceGetMemoryInfo(handle)
        except nvml.NVMLError:
            continue
        shown = name.decode() if isinstance(name, bytes) else str(name)
        yield Gpu(name=shown, memory_total=memory.total, memory_used=memory.used)
