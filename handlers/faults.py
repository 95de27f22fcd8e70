"""What an exception of the model means for the next try: torch, cuDNN, NeMo and numba say it in their own ways."""

import re
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from common.errors import DeviceLostError

# A batch too large for 32-bit indices, or for any algorithm of cuDNN, is cured like one too large for the memory.
OUT_OF_MEMORY = re.compile(
    r"out of memory|OUT_OF_MEMORY|_ALLOC_FAILED|failed to allocate|can't allocate memory|not enough memory: you tried"
    r"|CUBLAS_STATUS_NOT_INITIALIZED|CUDNN_STATUS_NOT_SUPPORTED|unable to find (?:a valid cuDNN|an engine)"
    r"|32-bit index",
    re.IGNORECASE,
)
# "sticky" errors, after which every call of this process fails: https://docs.nvidia.com/cuda/cuda-runtime-api/
DEVICE_LOST = re.compile(
    r"illegal memory access|device-side assert|unspecified launch failure|misaligned address|illegal instruction"
    r"|launch timed out|uncorrectable|(?:GPU|device) is lost|GPU has fallen off",
    re.IGNORECASE,
)


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether less audio at once may help; knows torch's error by its name, so that torch need not be loaded."""
    cause: BaseException | None = error
    while cause is not None:
        names = {kind.__name__ for kind in type(cause).__mro__}
        if names & {"OutOfMemoryError", "MemoryError"} or OUT_OF_MEMORY.search(str(cause)):
            return True
        cause = cause.__cause__
    return False


def is_device_lost(error: BaseException) -> bool:
    """Tell whether the GPU does not answer this process any more."""
    return DEVICE_LOST.search(str(error)) is not None


def device_lost() -> DeviceLostError:
    """Return what to raise for an error that `is_device_lost`."""
    return DeviceLostError("the GPU stopped answering; send the job again, to a restarted worker")


@contextmanager
def lost_device_told() -> Iterator[None]:
    """Raise DeviceLostError for what the model raises when the GPU is lost; all else passes."""
    try:
        yield
    except RuntimeError as error:
        if is_device_lost(error):
            raise device_lost() from error
        raise


def place(error: BaseException) -> str:
    """Return `file.py:line` where the error was raised: for logs, in which its text may be that of the transcript."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "unknown"
