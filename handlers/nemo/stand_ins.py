"""What the lean copy of NeMo has in place of some of NeMo's modules."""

from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray


def _model() -> dict[str, Any]:
    """Return a base class for the tree of hotwords, which is a model of NeMo's only to be stored as such."""
    from torch import nn  # noqa: PLC0415 - takes seconds

    class Model(nn.Module):  # type: ignore[misc] # torch has no types here
        def __init__(self, cfg: object, trainer: object) -> None:  # noqa: ARG002 - NeMo's signature
            super().__init__()

    return {"ModelPT": Model}


def _configurations() -> dict[str, Any]:
    """Return bases of the configurations of trainings, none of which is made here."""
    return dict.fromkeys(("ModelConfig", "NemoConfig", "OptimConfig"), object)


def _no_numba() -> dict[str, Any]:
    """Return what NeMo asks before it uses numba, for losses and augmentation: not to, which saves importing it."""
    return {
        "__NUMBA_MINIMUM_VERSION__": "",
        "numba_cpu_is_supported": lambda _: False,
        "numba_cuda_is_supported": lambda _: False,
    }


def _mel_filters() -> dict[str, Any]:
    """Return filters without values: those in the checkpoint take their place, as those of all weights do."""
    return {"filters": SimpleNamespace(mel=_unfilled_mel)}


def _unfilled_mel(*, sr: int, n_fft: int, n_mels: int, **_: object) -> NDArray[np.float32]:  # noqa: ARG001 - librosa's
    return np.zeros((n_mels, 1 + n_fft // 2), np.float32)


STAND_INS: Mapping[str, Callable[[], dict[str, Any]]] = {
    "librosa": _mel_filters,
    "nemo.core.classes.modelPT": _model,
    "nemo.core.config.modelPT": _configurations,
    "nemo.core.utils.numba_utils": _no_numba,
}
