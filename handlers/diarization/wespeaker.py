"""WeSpeaker's ResNet34, the speaker embedding of pyannote's own pipelines, for its checkpoints.

As in pyannote.audio 4.0.7, same numbers bit for bit, without the packages that it imports. WeSpeaker: Wang et al. 2023,
https://arxiv.org/abs/2210.17016.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchaudio.compliance import kaldi

from common.audio.limits import SAMPLE_RATE
from handlers.diarization.checkpoint import Checkpoint, fill
from handlers.unfilled import Unfilled

ARCHITECTURE = ("pyannote.audio.models.embedding.wespeaker", "WeSpeakerResNet34")
DIMENSION = 256
MIN_SAMPLES = 400  # of which there is one frame of features
WIDTHS, BLOCKS = (32, 64, 128, 256), (3, 4, 6, 3)
INT16_SCALE = 32768
# pyannote's for what a checkpoint leaves out, all of which are Kaldi's options of the same name
FEATURES = {
    "num_mel_bins": 80,
    "frame_length": 25.0,
    "frame_shift": 10.0,
    "round_to_power_of_two": True,
    "snip_edges": True,
    "dither": 0.0,
    "window_type": "hamming",
    "use_energy": False,
}
NO_FEATURES = {"sample_rate": SAMPLE_RATE, "num_channels": 1, "fbank_centering_span": None}


class WeSpeaker(nn.Module):  # type: ignore[misc]  # torch's types are not followed
    """256-dimensional speaker embeddings of 16 kHz waveforms; `resnet` makes them of features and masks."""

    def __init__(self, features: Mapping[str, Any]) -> None:
        super().__init__()
        self.resnet = ResNet34(features["num_mel_bins"])
        self._fbank = partial(kaldi.fbank, sample_frequency=SAMPLE_RATE, **features)

    def compute_fbank(self, waveforms: Tensor) -> Tensor:
        """Return the features (windows, frames, 80) of waveforms (windows, 1, samples), less their mean."""
        waveforms = waveforms * INT16_SCALE
        there = torch.device("cpu") if waveforms.device.type == "mps" else waveforms.device  # its FFT is wrong
        features = torch.vmap(self._fbank)(waveforms.to(there)).to(waveforms.device)
        return features - features.mean(dim=1, keepdim=True)


def load_wespeaker(checkpoint: Checkpoint) -> WeSpeaker:
    """Return the network of a checkpoint, in eval mode on the CPU; raises ValueError or RuntimeError for others."""
    given = checkpoint.hyper_parameters
    others = {name: value for name, value in given.items() if name not in FEATURES}
    if checkpoint.architecture != ARCHITECTURE or not others.items() <= NO_FEATURES.items():
        raise ValueError("the speaker embedding is no usual ResNet34 of WeSpeaker's")
    with Unfilled():
        network = WeSpeaker({name: given.get(name, value) for name, value in FEATURES.items()})
    fill(network, checkpoint.weights)
    network.eval()
    return network


class ResNet34(nn.Module):  # type: ignore[misc]  # torch's types are not followed
    """Residual convolutions of features, and one vector for each mask of their statistics."""

    def __init__(self, bins: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, WIDTHS[0], 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(WIDTHS[0])
        inputs = (WIDTHS[0], *WIDTHS)
        for number, (before, width, blocks) in enumerate(zip(inputs, WIDTHS, BLOCKS, strict=False), 1):
            first = _Block(before, width, stride=1 if number == 1 else 2)
            setattr(self, f"layer{number}", nn.Sequential(first, *(_Block(width, width) for _ in range(blocks - 1))))
        self.seg_1 = nn.Linear(bins // 8 * WIDTHS[-1] * 2, DIMENSION)

    def forward(self, features: Tensor, *, weights: Tensor) -> Tensor:
        """Return embeddings (windows, speakers, 256) of (windows, frames, bins) and masks (windows, speakers, any)."""
        x = functional.relu(self.bn1(self.conv1(features.transpose(1, 2)[:, None])))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x)))).flatten(1, 2)
        if weights.shape[2] != x.shape[2]:
            weights = functional.interpolate(weights, size=x.shape[2], mode="nearest")
        return self.seg_1(torch.stack([_statistics(x, mask) for mask in weights.unbind(1)], dim=1))


class _Block(nn.Module):  # type: ignore[misc]  # torch's types are not followed
    def __init__(self, inputs: int, width: int, *, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, width, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.shortcut = nn.Sequential()
        if stride != 1 or inputs != width:
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, width, 1, stride=stride, bias=False), nn.BatchNorm2d(width))

    def forward(self, x: Tensor) -> Tensor:
        inner = self.bn2(self.conv2(functional.relu(self.bn1(self.conv1(x)))))
        inner += self.shortcut(x)
        return functional.relu(inner)


def _statistics(x: Tensor, mask: Tensor) -> Tensor:
    """Return mean and unbiased standard deviation (windows, 2 features) of (windows, features, frames) under a mask."""
    weights = mask[:, None]
    total = weights.sum(dim=2) + 1e-8
    mean = torch.sum(x * weights, dim=2) / total
    squares = torch.sum(torch.square(x - mean[:, :, None]) * weights, dim=2)
    variance = squares / (total - torch.square(weights).sum(dim=2) / total + 1e-8)
    return torch.cat([mean, variance.sqrt()], dim=1)
