"""pyannote's model checkpoints, read without pyannote: importing it takes seconds, for what loading never uses."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import torch
from torch.torch_version import TorchVersion

from handlers.diarization.pipeline_config import WEIGHTS

NEWEST_MAJOR = 4  # of pyannote.audio: its own loading refuses checkpoints and pipelines of later ones


class Problem(Enum):
    """What a model was trained for, by pyannote's numbers."""

    BINARY_CLASSIFICATION = 0
    MONO_LABEL_CLASSIFICATION = 1
    MULTI_LABEL_CLASSIFICATION = 2
    REPRESENTATION = 3
    REGRESSION = 4


class Resolution(Enum):
    """Whether a model answers for every frame or for a whole chunk, by pyannote's numbers."""

    FRAME = 1
    CHUNK = 2


@dataclass(kw_only=True)
class Specifications:
    """What a model tells of its input and output, with pyannote's names; as unpickled, without checks."""

    problem: Problem
    resolution: Resolution
    duration: float  # seconds
    classes: tuple[str, ...] | list[str] | None = None
    powerset_max_classes: int | None = None

    @property
    def powerset(self) -> bool:
        """Whether each class is a set of speakers."""
        return self.powerset_max_classes is not None and self.problem is Problem.MONO_LABEL_CLASSIFICATION


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A checkpoint's content, on the CPU."""

    architecture: tuple[str, str]  # module and class
    hyper_parameters: Mapping[str, Any]
    specifications: Any
    weights: Mapping[str, torch.Tensor]


def weights_file(model: Path) -> Path:
    """Return the checkpoint of a model: its file, or the folder with it."""
    return model / WEIGHTS if model.is_dir() else model


def read_checkpoint(model: Path) -> Checkpoint:
    """Read a model's checkpoint: its file, or the folder with it.

    Raises one of handlers.device.LOAD_ERRORS for anything that is not plain enough to be read here, such as one with
    objects of other packages in it; pyannote may still be able to load it, or tell what is wrong.
    """
    # torch must not run anything that a file names but these, which it finds under pyannote's names
    names = {f"pyannote.audio.core.task.{kind.__name__}": kind for kind in (Problem, Resolution, Specifications)}
    with torch.serialization.safe_globals([TorchVersion, *((kind, name) for name, kind in names.items())]):
        content = torch.load(weights_file(model), map_location="cpu", weights_only=True)
    own = content["pyannote.audio"]
    check_version(own["versions"]["pyannote.audio"])
    return Checkpoint(
        architecture=(own["architecture"]["module"], own["architecture"]["class"]),
        hyper_parameters=content["hyper_parameters"],
        specifications=own["specifications"],
        weights=content["state_dict"],
    )


def check_version(required: object) -> None:
    """Raise ValueError if pyannote's own loading would refuse what requires this version of it."""
    if int(str(required).partition(".")[0]) > NEWEST_MAJOR:
        raise ValueError("made for a later version of pyannote.audio")


def fill(network: torch.nn.Module, weights: Mapping[str, torch.Tensor]) -> None:
    """Give a `network` that was built `Unfilled` its weights; raises RuntimeError unless they fit exactly."""
    expected = network.state_dict()
    kinds = {name: expected[name].dtype if name in expected else tensor.dtype for name, tensor in weights.items()}
    network.load_state_dict({name: tensor.to(kinds[name]) for name, tensor in weights.items()}, assign=True)
