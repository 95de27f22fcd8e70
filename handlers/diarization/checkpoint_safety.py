"""Refusing checkpoints that would run code: pyannote unpickles whatever they name.

pyannote.audio 4.0.7 loads with `weights_only=False` (Model.from_pretrained): a checkpoint may call any function. What
an honest one has beside tensors is listed here, and none of it does anything when it is made.
"""

import pickle
import re
from collections import OrderedDict
from pathlib import Path
from typing import Any

import torch

from common.errors import ConfigurationError
from handlers.diarization.checkpoint import weights_file

LIGHTNINGS = ("pytorch_lightning", "lightning.pytorch")  # the names of one package
NUMPY_CORES = ("numpy.core", "numpy._core")  # before and since numpy 2
OMEGACONF_NODES = ("Any", "Boolean", "Bytes", "Enum", "Float", "Integer", "InterpolationResult", "Path", "String")
HARMLESS = (
    *(f"pyannote.audio.core.task.{name}" for name in ("Problem", "Resolution", "Specifications")),
    *(
        "pyannote.audio.core.model.Introspection",
        "pyannote.core.segment.Segment",
        "pyannote.core.segment.SlidingWindow",
    ),
    *("torch.torch_version.TorchVersion", "typing.Any", "argparse.Namespace"),
    *(f"builtins.{name}" for name in ("bool", "dict", "float", "int", "list", "str", "tuple")),
    *(f"pathlib.{name}" for name in ("Path", "PosixPath", "PurePath", "PurePosixPath")),
    *("numpy.dtype", "numpy.ndarray"),
    *(f"{core}.multiarray.{name}" for core in NUMPY_CORES for name in ("scalar", "_reconstruct")),
    *("omegaconf.dictconfig.DictConfig", "omegaconf.listconfig.ListConfig"),
    *("omegaconf.base.Metadata", "omegaconf.base.ContainerMetadata"),
    *(f"omegaconf.nodes.{kind}Node" for kind in OMEGACONF_NODES),
    # as keys of the callbacks' states, before lightning 1.5
    *(f"{lightning}.callbacks.model_checkpoint.ModelCheckpoint" for lightning in LIGHTNINGS),
    *(f"{lightning}.callbacks.early_stopping.EarlyStopping" for lightning in LIGHTNINGS),
)
HARMLESS_MAPPINGS = (
    *("lightning_fabric.utilities.data.AttributeDict", "lightning.fabric.utilities.data.AttributeDict"),
    *(f"{lightning}.utilities.parsing.AttributeDict" for lightning in LIGHTNINGS),
)
HYPER_PARAMETERS = ("hyper_parameters", "hparams", "module_arguments")  # lightning's names for them, new and old
INSTANTIATOR = "_instantiator"  # a hyperparameter that names a function, which lightning imports and calls


class _StandIn:
    """Takes the place of all that is HARMLESS, installed here or not; its repr has all it was given."""

    def __init__(self, *given: object) -> None:
        self.given = given

    def __setstate__(self, state: object) -> None:
        self.state = state

    def __repr__(self) -> str:
        return repr(vars(self))


def _defaultdict(*_: object) -> dict[Any, Any]:
    return {}


def refuse_unsafe(model: Path, *, what: str) -> None:
    """Raise ConfigurationError if loading a model's checkpoint, a file or the folder with it, may run code.

    Damaged files raise what torch does. `what` the model is begins the message.
    """
    try:
        content = _read_plain(weights_file(model))
    except pickle.UnpicklingError as error:
        named = re.search(r"GLOBAL ([\w.]+)", str(error))
        held = f"holds more than tensors ({named[1]})" if named else "is damaged, or holds more than tensors"
        raise _unsafe(what, f"its checkpoint {held}") from error
    if isinstance(content, dict) and any(INSTANTIATOR in repr(content.get(key)) for key in HYPER_PARAMETERS):
        raise _unsafe(what, f"its checkpoint names code to run ({INSTANTIATOR})")


def _read_plain(path: Path) -> Any:  # noqa: ANN401 - whatever was stored
    harmless = [(_StandIn, name) for name in HARMLESS] + [(OrderedDict, name) for name in HARMLESS_MAPPINGS]
    with torch.serialization.safe_globals([*harmless, (_defaultdict, "collections.defaultdict")]):
        return torch.load(path, map_location="cpu", weights_only=True)


def _unsafe(what: str, reason: str) -> ConfigurationError:
    return ConfigurationError(
        f"{what} is refused: {reason}, which is not safe to load; download it again from a source you trust, or set "
        "DIARIZATION_MODEL to another pipeline"
    )
