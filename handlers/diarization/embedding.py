"""Speaker embeddings of parts of a recording, by whichever model a pipeline has."""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils import fuse_conv_bn_eval

from common.audio.blocks import Samples
from handlers.diarization.campplus import (
    FRAME,
    FRAME_HOP,
    CampPlusBatches,
    filter_banks,
    voiced_features,
)
from handlers.diarization.segmentation import cut

Masks = NDArray[np.bool_]  # (windows, frames, speakers)
Vectors = NDArray[np.float32]  # (embeddings, dimension), NaN where there is too little to embed


class Local(NamedTuple):
    """A speaker of one window."""

    window: int
    speaker: int


@dataclass(frozen=True, slots=True)
class Windows:
    """A recording's mono 16 kHz samples, how they are cut into windows, and in which frames to embed each speaker."""

    samples: Samples
    length: int
    hop: int
    masks: Masks

    def audio(self, first: int, last: int) -> torch.Tensor:
        """Return the samples from the beginning of window `first` to the end of `last`, with zeros after the audio."""
        return cut(self.samples, start=first * self.hop, end=last * self.hop + self.length)


class Embedder(Protocol):
    """Embeds speakers of windows; called by several threads at once."""

    def __call__(self, windows: Windows, wanted: Sequence[Local]) -> Vectors:
        """Return the embeddings of the `wanted`, which are in order, in theirs."""
        ...


class CampPlusEmbedder:
    """CAM++: its features once for all windows that share them."""

    def __init__(self, network: nn.Module, *, device: torch.device) -> None:
        """Take the published network, on the CPU, of which nothing is kept."""
        self._device = device
        self._embed = CampPlusBatches(network, device=device)

    @torch.inference_mode()  # type: ignore[untyped-decorator]  # torch's own
    def __call__(self, windows: Windows, wanted: Sequence[Local]) -> Vectors:
        """See Embedder."""
        first = wanted[0].window
        features = filter_banks(windows.audio(first, wanted[-1].window).to(self._device))
        count = (windows.length - FRAME) // FRAME_HOP + 1
        inputs = []
        for window, speaker in wanted:
            start = (window - first) * windows.hop // FRAME_HOP
            mask = torch.from_numpy(windows.masks[window, :, speaker]).to(self._device)
            inputs.append(voiced_features(features[start : start + count], mask))
        found: Vectors = self._embed(inputs).numpy()
        return found


class PoolingEmbedder:
    """A network whose statistics are pooled under a mask at its end: run once for all speakers of a window."""

    def __init__(
        self,
        features: Callable[[Tensor], Tensor],
        network: nn.Module,
        *,
        device: torch.device,
        output: int | None = None,
    ) -> None:
        """Take the functions from waveforms (windows, 1, samples) to features, and from those and masks to embeddings.

        `output` is the place of the embeddings among what the `network` returns, if that is more. It is copied.
        """
        self._features, self._device, self._output = features, device, output
        self._network = folded(network).to(device)
        self._at_once = 1 if device.type == "cpu" else None  # a core is slower with more
        if self._at_once:
            self._network.to(memory_format=torch.channels_last)

    @torch.inference_mode()  # type: ignore[untyped-decorator]  # torch's own
    def __call__(self, windows: Windows, wanted: Sequence[Local]) -> Vectors:
        """See Embedder."""
        numbers = sorted({local.window for local in wanted})
        step = self._at_once or len(numbers)
        found = np.concatenate([self._embed(windows, numbers[at : at + step]) for at in range(0, len(numbers), step)])
        places = {number: place for place, number in enumerate(numbers)}
        return np.stack([found[places[local.window], local.speaker] for local in wanted])

    def _embed(self, windows: Windows, numbers: list[int]) -> Vectors:
        """Return (windows, speakers, dimension)."""
        audio = torch.stack([windows.audio(number, number) for number in numbers])[:, None]
        masks = torch.from_numpy(windows.masks[numbers].transpose(0, 2, 1).astype(np.float32))
        embeddings = self._network(self._features(audio.to(self._device)), weights=masks.to(self._device))
        found: Vectors = (embeddings if self._output is None else embeddings[self._output]).cpu().numpy()
        return found


class PlainEmbedder:
    """Any other model, as pyannote runs it: once for each."""

    def __init__(self, embedding: Any) -> None:  # noqa: ANN401
        self._embedding = embedding

    def __call__(self, windows: Windows, wanted: Sequence[Local]) -> Vectors:
        """See Embedder."""
        audio = torch.stack([windows.audio(local.window, local.window) for local in wanted])[:, None]
        masks = np.stack([windows.masks[local.window, :, local.speaker] for local in wanted]).astype(np.float32)
        found: Vectors = self._embedding(audio, masks=torch.from_numpy(masks))
        return found


def embedding_masks(speech: Masks, *, exclude_overlap: bool, min_frames: int) -> Masks:
    """Return the frames that each embedding is made of.

    They are those in which the speaker talks alone, or if there are no more than `min_frames` of them, all in which
    they talk: what pyannote takes (pyannote.audio 4.0.7, SpeakerDiarization.get_embeddings).
    """
    if not exclude_overlap:
        return speech
    alone = speech & (speech.sum(axis=2, keepdims=True) < 2)
    enough = alone.sum(axis=1, keepdims=True) > min_frames
    return np.where(enough, alone, speech)


def folded(network: nn.Module) -> nn.Module:
    """Return a copy of a residual network with each normalisation in the weights of the convolution before it."""
    folded = copy.deepcopy(network)
    for module in list(folded.modules()):
        for number in (1, 2, 3):
            if hasattr(module, f"conv{number}") and hasattr(module, f"bn{number}"):
                conv, norm = (getattr(module, f"{name}{number}") for name in ("conv", "bn"))
                setattr(module, f"conv{number}", fuse_conv_bn_eval(conv, norm))
                setattr(module, f"bn{number}", nn.Identity())
        if len(getattr(module, "shortcut", ())) == 2:
            module.shortcut = fuse_conv_bn_eval(*module.shortcut)
    return folded
