"""pyannote's segmentation network, PyanNet, for its checkpoints; `segmentation` says how it is run faster.

As in pyannote.audio 4.0.7 and asteroid-filterbanks 0.4.0, same numbers bit for bit, without what these import.
SincNet: Ravanelli and Bengio 2018, https://arxiv.org/abs/1808.00158; with sine filters: Pariente et al. 2020,
https://arxiv.org/abs/1910.10400.
"""

import itertools
import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from common.audio.limits import SAMPLE_RATE
from handlers.diarization.checkpoint import Checkpoint, Specifications, fill
from handlers.diarization.frames import Frames
from handlers.unfilled import Unfilled

ARCHITECTURE = ("pyannote.audio.models.segmentation.PyanNet", "PyanNet")
FILTERS, TAPS, CHANNELS, KERNEL, POOL = 80, 251, 60, 5, 3
LOWEST_HZ = NARROWEST_HZ = 50
# pyannote's for what a checkpoint leaves out
STRIDE = 10
LSTM = {"hidden_size": 128, "num_layers": 2, "bidirectional": True, "monolithic": True, "dropout": 0.0}
LINEAR = {"hidden_size": 128, "num_layers": 2}


def load_pyannet(checkpoint: Checkpoint) -> "PyanNet":
    """Return the network of a checkpoint, in eval mode on the CPU.

    Raises ValueError or RuntimeError for other networks, and for a PyanNet that is not put together in the usual way.
    """
    specifications = checkpoint.specifications
    if checkpoint.architecture != ARCHITECTURE or not isinstance(specifications, Specifications):
        raise ValueError("the segmentation is no PyanNet")
    given = checkpoint.hyper_parameters
    if (given.get("sample_rate", SAMPLE_RATE), given.get("num_channels", 1)) != (SAMPLE_RATE, 1):
        raise ValueError("the segmentation is not for mono audio at 16 kHz")
    lstm, linear = LSTM | dict(given.get("lstm") or {}), LINEAR | dict(given.get("linear") or {})
    if not (specifications.powerset and lstm.pop("monolithic") and linear["num_layers"] > 0):
        raise ValueError("the segmentation is an unusual PyanNet")
    with Unfilled():
        network = PyanNet(
            specifications, stride=(given.get("sincnet") or {}).get("stride", STRIDE), lstm=lstm, linear=linear
        )
    fill(network, checkpoint.weights)
    network.eval()
    return network


class PyanNet(nn.Module):  # type: ignore[misc]  # torch's types are not followed
    """SincNet, LSTM, linear layers and a classifier of each frame into sets of speakers."""

    def __init__(
        self, specifications: Specifications, *, stride: int, lstm: Mapping[str, Any], linear: Mapping[str, int]
    ) -> None:
        super().__init__()
        self.specifications = specifications
        self.sincnet = _SincNet(stride)
        self.lstm = nn.LSTM(CHANNELS, **{**lstm, "batch_first": True})
        widths = [self.lstm.hidden_size * (2 if self.lstm.bidirectional else 1)]
        widths += [linear["hidden_size"]] * linear["num_layers"]
        self.linear = nn.ModuleList(nn.Linear(*pair) for pair in itertools.pairwise(widths))
        speakers = len(specifications.classes or ())
        sets = sum(math.comb(speakers, size) for size in range((specifications.powerset_max_classes or 0) + 1))
        self.classifier = nn.Linear(widths[-1], sets)

    @property
    def device(self) -> torch.device:
        """Where it is."""
        return self.classifier.weight.device

    @property
    def receptive_field(self) -> Frames:
        """The audio that one frame of the output is made of, and from one frame to the next."""
        size, step = 1, 1
        for kernel, stride in reversed(self.sincnet.layers):
            size, step = kernel + (size - 1) * stride, step * stride
        return Frames(start=0.0, duration=size / SAMPLE_RATE, step=step / SAMPLE_RATE)

    def forward(self, waveforms: Tensor) -> Tensor:
        """Return the log probabilities (windows, frames, sets) of waveforms (windows, 1, samples)."""
        x, _ = self.lstm(self.sincnet(waveforms).transpose(1, 2))
        for linear in self.linear:
            x = functional.leaky_relu(linear(x))
        return functional.log_softmax(self.classifier(x), dim=-1)


class _SincNet(nn.Module):  # type: ignore[misc]  # torch's types are not followed
    def __init__(self, stride: int) -> None:
        super().__init__()
        self.layers = [(TAPS, stride), (POOL, POOL), *((KERNEL, 1), (POOL, POOL)) * 2]  # kernel and stride of each
        self.wav_norm1d = nn.InstanceNorm1d(1, affine=True)
        convolutions = (nn.Conv1d(channels, CHANNELS, KERNEL) for channels in (FILTERS, CHANNELS))
        self.conv1d = nn.ModuleList([_Encoder(stride), *convolutions])
        self.norm1d = nn.ModuleList(nn.InstanceNorm1d(size, affine=True) for size in (FILTERS, CHANNELS, CHANNELS))

    def forward(self, waveforms: Tensor) -> Tensor:
        x = self.conv1d[0](self.wav_norm1d(waveforms)).abs()
        x = functional.leaky_relu(self.norm1d[0](functional.max_pool1d(x, POOL)))
        for convolution, norm in zip(self.conv1d[1:], self.norm1d[1:], strict=True):
            x = functional.leaky_relu(norm(functional.max_pool1d(convolution(x), POOL)))
        return x


class _Encoder(nn.Module):  # type: ignore[misc]  # torch's types are not followed
    """The convolution with the filters."""

    def __init__(self, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.filterbank = _SincFilters()

    def get_filters(self) -> Tensor:
        """Return the filters (80, 1, 251)."""
        return self.filterbank()

    def forward(self, waveforms: Tensor) -> Tensor:
        return functional.conv1d(waveforms, self.get_filters(), stride=self.stride)


class _SincFilters(nn.Module):  # type: ignore[misc]  # torch's types are not followed
    """Band passes, each a pair of an even and an odd filter, from lower cut-offs and widths in Hz."""

    def __init__(self) -> None:
        super().__init__()
        self.low_hz_ = nn.Parameter(torch.empty(FILTERS // 2, 1))
        self.band_hz_ = nn.Parameter(torch.empty(FILTERS // 2, 1))
        self.register_buffer("window_", torch.empty(TAPS // 2))  # half a Hamming window
        self.register_buffer("n_", torch.empty(1, TAPS // 2))  # half of the times, as angles per Hz

    def forward(self) -> Tensor:
        low = LOWEST_HZ + self.low_hz_.abs()
        high = torch.clamp(low + NARROWEST_HZ + self.band_hz_.abs(), LOWEST_HZ, SAMPLE_RATE / 2)
        width = high - low
        lower, higher = low @ self.n_, high @ self.n_
        even = (higher.sin() - lower.sin()) / (self.n_ / 2) * self.window_
        odd = (lower.cos() - higher.cos()) / (self.n_ / 2) * self.window_
        halves = (even, 2 * width, even.flip(1)), (odd, torch.zeros_like(width), -odd.flip(1))
        return torch.cat([torch.cat(parts, 1) / (2 * width) for parts in halves])[:, None]
