"""Other ways to transcribe long audio with the same NeMo model, to compare with: text only."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch

from benchmarks.longform.engines import Heard
from common.audio.blocks import Samples
from common.audio.limits import SAMPLE_RATE
from common.chunking import Window, plan_windows
from common.stitching import stitch
from common.timeline import Word
from handlers.nemo.quiet_import import import_nemo, quiet
from tests.fixtures.tiny_parakeet.evaluate import transcribe

FRAME_SAMPLES = 1280  # 10 ms hops, eight of them in a frame of the encoder
LOCAL_CONTEXT = [128, 128]  # frames; what NVIDIA's model cards advise for long audio
LONGEST_ON_CPU_S = 600.0  # with full attention
ATTENTION_COPIES = 4  # of the matrix [head, frame, frame] in float32 at once
MEMORY_SHARE = 0.4
GPU_BATCH = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmResult:
    """The text of the first `duration_s` seconds and the time it took; a note on what is special."""

    text: str
    duration_s: float
    took_s: float
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Rivals:
    """The model of one checkpoint, restored once as it is and once for local attention, which cannot be undone.

    `bound_s` is how long our windows are; `longer_s` are lengths that our engine does not use. It computes with the
    same `precision` as our engine.
    """

    checkpoint: Path
    device: str
    precision: str
    bound_s: float
    longer_s: tuple[float, ...] = ()

    def arms(self) -> dict[str, Callable[[Samples], ArmResult]]:
        """Return every arm by its name."""
        return {
            "one_pass_local_attention": self.one_pass_local_attention,
            "one_pass": self.one_pass,
            "fixed_cuts": self.fixed_cuts,
            "stitched_encoder": self.stitched_encoder,
            "windows_plain": self.windows_plain,
            "windows_local_attention": self.windows_local_attention,
            **{
                f"windows_plain_{bound_s:g}_s": partial(self.windows_plain, bound_s=bound_s)
                for bound_s in self.longer_s
            },
        }

    def alone(self, samples: Samples, spans: Sequence[tuple[int, int]]) -> Heard:
        """Decode each of `spans` (samples) by itself; times are those of the whole."""
        network = self._network
        start = time.perf_counter()
        with quiet():
            words = [word for own in _hear_spans(network, samples, spans) for word in own]
        return Heard(words=tuple(words), took_s=time.perf_counter() - start)

    def one_pass(self, samples: Samples) -> ArmResult:
        """NeMo's `transcribe` on the whole, or as much of it as full attention has memory and time for."""
        network = self._network
        longest_s = longest_full_attention_s(network, self.device)
        prefix = samples[: int(longest_s * SAMPLE_RATE)]
        note = "attention over all of it is quadratic" if len(prefix) < len(samples) else ""
        return self._timed(lambda: _transcribe(network, [prefix]), prefix, note=note)

    def one_pass_local_attention(self, samples: Samples) -> ArmResult:
        """NeMo's `transcribe` on the whole with attention over 128 frames on both sides."""
        network = self._local_network
        return self._timed(lambda: _transcribe(network, [samples]), samples)

    def fixed_cuts(self, samples: Samples) -> ArmResult:
        """NeMo's `transcribe` on pieces of the bound's length, cut where it happens to be."""
        network = self._network
        bound = int(self.bound_s * SAMPLE_RATE)
        pieces = [samples[first : first + bound] for first in range(0, len(samples), bound)]
        return self._timed(lambda: _transcribe(network, pieces), samples)

    def stitched_encoder(self, samples: Samples) -> ArmResult:
        """One pass of the decoder over the encoder's frames of our windows' cores."""
        network = self._network
        windows = plan_windows(samples, max_window_s=self.bound_s)

        def run() -> str:
            frames = torch.cat([_core_frames(network, samples, window) for window in windows], dim=1)
            lengths = torch.tensor([frames.shape[1]], device=frames.device)
            found = network.decoding.rnnt_decoder_predictions_tensor(frames[None], lengths)
            return str(found[0].text)

        return self._timed(run, samples)

    def windows_plain(self, samples: Samples, *, bound_s: float | None = None) -> ArmResult:
        """Decode our windows one by one with NeMo's `transcribe` and stitch them; nothing is decoded again."""
        return self._windows(self._network, samples, bound_s or self.bound_s)

    def windows_local_attention(self, samples: Samples) -> ArmResult:
        """Do the same with local attention inside the windows."""
        return self._windows(self._local_network, samples, self.bound_s)

    def _windows(self, network: Any, samples: Samples, bound_s: float) -> ArmResult:  # noqa: ANN401 - NeMo has no types
        windows = plan_windows(samples, max_window_s=bound_s)
        spans = [(window.first, window.last) for window in windows]
        return self._timed(lambda: _text(stitch(windows, _hear_spans(network, samples, spans))), samples)

    @cached_property
    def _network(self) -> Any:  # noqa: ANN401 - NeMo has no types
        return self._restored()

    @cached_property
    def _local_network(self) -> Any:  # noqa: ANN401 - NeMo has no types
        network = self._restored()
        network.change_attention_model("rel_pos_local_attn", LOCAL_CONTEXT)
        return network.to(getattr(torch, self.precision))  # the new attention comes in float32

    def _restored(self) -> Any:  # noqa: ANN401 - NeMo has no types
        with quiet():
            network = import_nemo().restore_from(str(self.checkpoint), map_location=self.device).eval()
            network.to(getattr(torch, self.precision))
        _transcribe(network, [np.zeros(SAMPLE_RATE, np.float32)])  # warm
        return network

    def _timed(self, run: Callable[[], str], samples: Samples, *, note: str = "") -> ArmResult:
        start = time.perf_counter()
        with quiet(), torch.inference_mode():
            text = run()
        took_s = time.perf_counter() - start
        return ArmResult(text=text, duration_s=len(samples) / SAMPLE_RATE, took_s=took_s, note=note)


def longest_full_attention_s(network: Any, device: str) -> float:  # noqa: ANN401 - NeMo has no types
    """Return how much audio full attention can take at once on this machine."""
    available = torch.cuda.mem_get_info()[0] if device == "cuda" else psutil.virtual_memory().available
    frame_bytes = 4 * ATTENTION_COPIES * network.cfg.encoder.n_heads
    longest_s = (MEMORY_SHARE * available / frame_bytes) ** 0.5 * FRAME_SAMPLES / SAMPLE_RATE
    return longest_s if device == "cuda" else min(longest_s, LONGEST_ON_CPU_S)


def _hear_spans(network: Any, samples: Samples, spans: Sequence[tuple[int, int]]) -> list[list[Word]]:  # noqa: ANN401 - NeMo has no types
    found = transcribe(network, [samples[first:last] for first, last in spans])
    offsets = [first / SAMPLE_RATE for first, _ in spans]
    return [[word.shifted(offset) for word in own] for offset, own in zip(offsets, found, strict=True)]


def _text(words: Iterable[Word]) -> str:
    return " ".join(word.text for word in words)


def _transcribe(network: Any, pieces: Sequence[Samples]) -> str:  # noqa: ANN401 - NeMo has no types
    with quiet():
        batch_size = GPU_BATCH if network.device.type == "cuda" else 1
        found = network.transcribe(list(pieces), timestamps=True, batch_size=batch_size, verbose=False)
    return " ".join(one.text for one in found)


def _core_frames(network: Any, samples: Samples, window: Window) -> torch.Tensor:  # noqa: ANN401 - NeMo has no types
    """Return the encoder's frames [feature, frame] of a window's core."""
    heard = torch.from_numpy(samples[window.first : window.last])[None].to(network.device)
    encoded, _ = network(input_signal=heard, input_signal_length=torch.tensor([heard.shape[1]], device=network.device))
    first, core_first, core_last = (
        round(x / FRAME_SAMPLES) for x in (window.first, window.core_first, window.core_last)
    )
    return encoded[0, :, core_first - first : core_last - first]
