"""pyannote's segmentation model over overlapping windows, with the same answers at less than half the price.

Neighbouring windows share most of their audio, which pyannote looks at anew in each.
"""

import sys
from collections.abc import Callable, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from common.audio.limits import SAMPLE_RATE
from common.errors import ConfigurationError
from common.settings import DIARIZATION_HOP
from handlers.diarization.pyannet import PyanNet
from handlers.unfilled import Unfilled

BATCH_WINDOWS = 32
POOL = 3  # of all of SincNet's max-pools


def cut(samples: NDArray[np.float32], *, start: int, end: int) -> Tensor:
    """Return the `samples` [start, end) of a recording, with zeros after its end."""
    found = torch.from_numpy(samples[start:end])
    return functional.pad(found, (0, end - start - len(found)))


def supports(model: Any) -> bool:  # noqa: ANN401 - pyannote has no types
    """Tell whether `model` names for each frame the set of those who talk (pyannote's "powerset")."""
    if isinstance(model, PyanNet):
        return True
    return bool(getattr(getattr(model, "specifications", None), "powerset", False)) and (
        model.audio.sample_rate == SAMPLE_RATE
    )


class WindowedSegmentation:
    """pyannote's segmentation model over overlapping windows of one recording, on the device where the model is.

    A call changes nothing in it: several threads may make calls at once.
    """

    def __init__(self, model: Any, *, hop: int) -> None:  # noqa: ANN401
        """Take a `model` that `supports` accepts, and the samples from one window to the next.

        Raises ConfigurationError where there would be gaps between the windows.
        """
        self.window: int = round(model.specifications.duration * SAMPLE_RATE)
        self.hop = hop
        if not 0 < hop <= self.window:
            limit = f"{self.window / SAMPLE_RATE:g}"
            raise ConfigurationError(
                f"the segmentation model hears {limit} s at once: set {DIARIZATION_HOP.name} to at most {limit}"
            )
        model.eval()
        self._device = model.device
        self._sets = _speaker_sets(model.specifications)
        self._network = _PyanNet(model, window=self.window) if _is_usual(model) else _AnyModel(model, self.window)
        with torch.inference_mode():
            silence = model(torch.zeros(1, 1, self.window, device=self._device))
        self._silent = self._sets[silence.argmax(-1).cpu().numpy()[0]]

    def count(self, samples: int) -> int:
        """Return how many windows so many samples have; the last may reach beyond them, into zeros."""
        return 1 + max(0, -((self.window - samples) // self.hop))

    def __call__(self, samples: NDArray[np.float32], *, first: int, last: int) -> NDArray[np.uint8]:
        """Return who talks in the windows `[first, last)` of a recording, of whose `samples` only these are read.

        Shape (windows, frames, speakers), 0 or 1, as pyannote's Inference has it. The model's answer to zeros is known,
        so that it is not run on any; what is only very quiet is: the model hears speech at any level.
        """
        found = np.repeat(self._silent[None], last - first, axis=0)
        with torch.inference_mode():
            for begin in range(first, last, BATCH_WINDOWS):
                end = min(begin + BATCH_WINDOWS, last)
                self._fill(
                    found[begin - first : end - first],
                    cut(samples, start=begin * self.hop, end=(end - 1) * self.hop + self.window),
                )
        return found

    def _fill(self, found: NDArray[np.uint8], stretch: Tensor) -> None:
        peaks = stretch.abs().unfold(0, self.window, self.hop).amax(1)
        loud = torch.nonzero(peaks > 0)[:, 0].tolist()
        if loud:
            scores = self._network(stretch.to(self._device), [number * self.hop for number in loud])
            found[loud] = self._sets[scores.argmax(-1).cpu().numpy()]


def _speaker_sets(specifications: Any) -> NDArray[np.uint8]:  # noqa: ANN401
    """Return who talks in each of the model's classes: (classes, speakers), 0 or 1."""
    speakers = range(len(specifications.classes))
    sets = [
        chosen for size in range(specifications.powerset_max_classes + 1) for chosen in combinations(speakers, size)
    ]
    return np.array([[speaker in chosen for speaker in speakers] for chosen in sets], np.uint8)


def _is_usual(model: Any) -> bool:  # noqa: ANN401
    """Tell whether it is a PyanNet of the usual build: pyannote's can be put together otherwise."""
    kinds = (PyanNet, *_pyannotes())
    return isinstance(model, kinds) and _is_put_together_as_usual(model)


def _is_put_together_as_usual(model: Any) -> bool:  # noqa: ANN401
    lstm = model.lstm
    return (
        isinstance(lstm, nn.LSTM)
        and (lstm.bidirectional, lstm.bias, lstm.proj_size) == (True, True, 0)
        and len(getattr(model, "linear", ())) > 0
        and bool(model.sincnet.wav_norm1d.weight != 0)
    )


def _pyannotes() -> tuple[Any, ...]:
    """Return pyannote's class, unless nothing has imported it: no model is of it then."""
    module = sys.modules.get("pyannote.audio.models.segmentation.PyanNet")
    return () if module is None else (module.PyanNet,)


class _AnyModel:
    """A model as it is."""

    def __init__(self, model: Any, window: int) -> None:  # noqa: ANN401
        self._model = model
        self._window = window

    def __call__(self, stretch: Tensor, starts: Sequence[int]) -> Tensor:
        return self._model(torch.stack([stretch[start : start + self._window] for start in starts])[:, None])


class _PyanNet:
    """PyanNet: SincNet, LSTM and linear layers."""

    def __init__(self, model: Any, *, window: int) -> None:  # noqa: ANN401
        on_cpu = model.device.type == "cpu"
        # What one window needs fits into a core's cache; a GPU wants large groups.
        self._sincnet = _SincNet(model.sincnet, window=window, group=1 if on_cpu else BATCH_WINDOWS)
        self._lstm = _ForwardLstm(model.lstm) if on_cpu else model.lstm
        self._model = model

    def __call__(self, stretch: Tensor, starts: Sequence[int]) -> Tensor:
        """Return the scores (windows, frames, classes), each frame's less a constant, of the windows from `starts`."""
        hidden = self._lstm(self._sincnet(stretch, starts))[0]
        for linear in self._model.linear:
            hidden = functional.leaky_relu_(linear(hidden))
        return self._model.classifier(hidden)


class _SincNet:
    """SincNet whose first convolution, the costly one, is done once for all the windows that overlap.

    That convolution c is linear, and what comes before it only scales a window's samples by a gain and shifts them:
    the model takes the maximum of |gain * c + shift| over 3 frames, which is |gain| * max(max c + s, -(min c + s)) with
    s = shift / gain. The norm that follows takes the gain away again, but for its epsilon.
    """

    def __init__(self, sincnet: Any, *, window: int, group: int) -> None:  # noqa: ANN401
        self._window, self._group = window, group
        self._input_norm, self._norms = sincnet.wav_norm1d, sincnet.norm1d
        encoder = sincnet.conv1d[0]
        with torch.no_grad():
            filters = encoder.get_filters()  # computed from their cut-off frequencies, at every call of pyannote's
            self._filter_sums = filters.sum(2)[:, 0]
            self._filters = _in_strides(filters[:, 0], encoder.stride)
            self._weights = [_rows_last(conv.weight[:, :, None]) for conv in sincnet.conv1d[1:]]
        self._biases = [conv.bias for conv in sincnet.conv1d[1:]]
        self._stride, self._taps = int(encoder.stride), filters.shape[2]

    def __call__(self, stretch: Tensor, starts: Sequence[int]) -> Tensor:
        """Return the features (windows, frames, 60) of the windows that begin at `starts`."""
        shared = self._filtered(stretch) if all(start % self._stride == 0 for start in starts) else None
        found = []
        for at in range(0, len(starts), self._group):
            group = starts[at : at + self._group]
            waves = torch.stack([stretch[start : start + self._window] for start in group])
            found.append(self._features(self._windows(shared, waves, group), waves))
        return torch.cat(found)

    def _windows(self, shared: Tensor | None, waves: Tensor, starts: Sequence[int]) -> Tensor:
        """Return the filtered windows (windows, frames, 80), cut from the stretch's where they lie in its frames."""
        if shared is None:
            return torch.stack([self._filtered(wave) for wave in waves])
        frames = (self._window - self._taps) // self._stride + 1
        cut = [shared[start // self._stride :][:frames] for start in starts]
        return torch.stack(cut) if len(cut) > 1 else cut[0][None]

    def _filtered(self, wave: Tensor) -> Tensor:
        """Return the first convolution (frames, 80) of the samples, as one over rows of `stride` samples each."""
        frames = (len(wave) - self._taps) // self._stride + 1
        rows = frames + self._filters.shape[3] - 1
        padded = functional.pad(wave, (0, max(0, rows * self._stride - len(wave))))[: rows * self._stride]
        return functional.conv2d(_as_image(padded.view(1, rows, self._stride)), self._filters)[0, :, 0].T

    def _features(self, filtered: Tensor, waves: Tensor) -> Tensor:
        mean = waves.mean(1, keepdim=True)
        deviation = ((waves - mean).square_().mean(1, keepdim=True) + self._input_norm.eps).sqrt_()
        gain = self._input_norm.weight / deviation
        shift = (self._input_norm.bias / gain - mean) * self._filter_sums
        pooled = _pooled_magnitude(filtered, shift[:, None])
        x = _normalised(pooled, self._norms[0], eps=self._norms[0].eps / gain.square()[:, None])
        for weight, bias, norm in zip(self._weights, self._biases, self._norms[1:], strict=True):
            convolved = functional.conv2d(_as_image(x), weight, bias)[:, :, 0].transpose(1, 2)
            x = _normalised(_pooled(convolved, torch.maximum), norm, eps=norm.eps)
        return x


class _ForwardLstm:
    """A bidirectional LSTM of layers that all run forwards, those of the other direction on reversed time.

    On CPUs oneDNN's backward run takes half as long again as its forward one, for the same numbers.
    """

    def __init__(self, lstm: nn.LSTM) -> None:
        self._layers = [
            (_one_direction(lstm, f"_l{layer}"), _one_direction(lstm, f"_l{layer}_reverse"))
            for layer in range(lstm.num_layers)
        ]

    def __call__(self, inputs: Tensor) -> tuple[Tensor]:
        """Return what the LSTM returns first for `inputs` (windows, frames, features)."""
        x = inputs.transpose(0, 1).contiguous()
        for forwards, backwards in self._layers:
            x = torch.cat((forwards(x)[0], backwards(x.flip(0))[0].flip(0)), 2)
        return (x.transpose(0, 1),)


def _one_direction(lstm: nn.LSTM, suffix: str) -> nn.LSTM:
    parameters = {name: getattr(lstm, name + suffix) for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")}
    with Unfilled():
        layer = nn.LSTM(parameters["weight_ih"].shape[1], lstm.hidden_size)
    layer.load_state_dict({f"{name}_l0": value for name, value in parameters.items()})
    return layer.eval()


def _in_strides(filters: Tensor, stride: int) -> Tensor:
    """Return filters (80, taps) as those of a convolution over rows of `stride` samples: (80, stride, 1, rows)."""
    padded = functional.pad(filters, (0, -filters.shape[1] % stride))
    return _rows_last(padded.unflatten(1, (-1, stride)).transpose(1, 2)[:, :, None])


def _rows_last(weight: Tensor) -> Tensor:
    return weight.contiguous(memory_format=torch.channels_last)


def _as_image(rows: Tensor) -> Tensor:
    """Return (windows, frames, channels) as torch's (windows, channels, 1, frames), where it lies."""
    return rows.transpose(1, 2)[:, :, None]


def _pooled(x: Tensor, choose: Callable[..., Tensor]) -> Tensor:
    """Pool (windows, frames, channels) over frames; `choose` is torch.maximum or torch.minimum."""
    frames = x.shape[1] // POOL
    threes = x[:, : frames * POOL].unflatten(1, (frames, POOL))
    chosen = choose(threes[:, :, 0], threes[:, :, 1])
    return choose(chosen, threes[:, :, 2], out=chosen)


def _pooled_magnitude(x: Tensor, shift: Tensor) -> Tensor:
    """Return the max-pool of |x + shift|."""
    highest, lowest = _pooled(x, torch.maximum), _pooled(x, torch.minimum)
    return torch.maximum(highest.add_(shift), lowest.add_(shift).neg_(), out=highest)


def _normalised(x: Tensor, norm: Any, *, eps: Tensor | float) -> Tensor:  # noqa: ANN401
    """Return the leaky ReLU of the instance norm of (windows, frames, channels), in place."""
    x.sub_(x.mean(1, keepdim=True))
    scale = norm.weight / (x.square().mean(1, keepdim=True) + eps).sqrt_()
    return functional.leaky_relu_(x.mul_(scale).add_(norm.bias))
