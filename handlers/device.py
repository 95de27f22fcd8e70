"""Where a model runs, and the way back to the CPU when a GPU does not work."""

import gc
import logging
import os
import pickle
import re
import tarfile
from collections.abc import Callable
from typing import Protocol, TypeVar

from common.errors import ConfigurationError
from common.logs import log_event

# What torch, CTranslate2, NeMo and pyannote raise for a GPU that does not work, and for files that are no model.
LOAD_ERRORS = (
    *(RuntimeError, OSError, ImportError, AssertionError, ValueError),
    *(LookupError, TypeError, AttributeError, EOFError, pickle.UnpicklingError, tarfile.TarError),
)

# Otherwise packages would tell their makers what is done here and with which versions: pyannote, the hub's client, and
# onnxruntime, which runs the speech detector and keeps a device's id and a file of events in the user's home besides.
NO_TELEMETRY = {"PYANNOTE_METRICS_ENABLED": "0", "HF_HUB_DISABLE_TELEMETRY": "1", "ORT_DISABLE_TELEMETRY": "1"}

logger = logging.getLogger(__name__)


class Warned(Protocol):
    """An engine that passes warnings on to its results."""

    warnings: tuple[str, ...]


EngineT = TypeVar("EngineT", bound=Warned)


def let_others_compute() -> None:
    """Make idle OpenMP threads sleep instead of spin; call before torch is imported, which reads it then.

    Otherwise two workers on the same cores stop each other: the threads of the one spin on the cores the other needs.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def report_to_nobody() -> None:
    """Turn the packages' telemetry off; call before they are imported.

    Set, not defaulted: pyannote sets its own to "true" when it is imported without, and looks it up at every use.
    """
    os.environ.update(NO_TELEMETRY)


def pick_device(requested: str) -> str:
    """Return `requested`, or for `auto` the first of cuda, mps and cpu that torch can use."""
    if requested != "auto":
        return requested
    import torch  # noqa: PLC0415 - importing this module must stay cheap

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def load_with_fallback(load: Callable[[str], EngineT], device: str) -> EngineT:
    """Return `load(device)`, which includes a first inference; if a GPU fails in it, `load("cpu")` with a warning.

    Raises ConfigurationError when the CPU fails too; those that `load` raises itself pass through.
    """
    if device == "cpu":
        return _load_on_cpu(load)
    try:
        return load(device)
    except LOAD_ERRORS as error:
        reason = first_line(error)
    gc.collect()  # outside of the handler: what the failed engine left in cycles holds the GPU's memory
    engine = _load_on_cpu(load)
    log_event(logger, "device_fallback", requested=device, reason=reason)
    engine.warnings = (*engine.warnings, f"the device {device} failed, so the model runs on the CPU: {reason}")
    return engine


def _load_on_cpu(load: Callable[[str], EngineT]) -> EngineT:
    try:
        return load("cpu")
    except LOAD_ERRORS as error:
        raise ConfigurationError(
            f"the model cannot be loaded: {first_line(error)}; check its files, the settings and the installed packages"
        ) from error


def first_line(error: BaseException) -> str:
    """Return an error's first line without file paths, at most 200 characters."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return re.sub(r"(?<![:/\w])(?:[A-Za-z]:)?(?:[/\\][\w.+~-]+)+[/\\]", "", lines[0])[:200]
