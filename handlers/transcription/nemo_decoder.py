"""A loaded NeMo transducer as a decoder of windows: audio in batches in, words with times out."""

import gc
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.audio.limits import SAMPLE_RATE
from common.errors import ConfigurationError, InvalidInputError
from common.timeline import Word
from handlers.nemo.quiet_import import quiet
from handlers.transcription.tokens import Token, spelled

MIN_SAMPLES = SAMPLE_RATE  # the features of a window are normalised over it, which takes more than one frame
BOOST = 1.0  # weight of the expected phrases, NeMo's recommendation


@dataclass(frozen=True, slots=True, kw_only=True)
class NemoBatch:
    """Windows padded on the right to the longest, on the device: float32 [window, sample] and their lengths."""

    signal: Any
    lengths: Any
    durations_s: tuple[float, ...]


class NemoDecoder:
    """Encoder and greedy label-looping decoder of a Parakeet-TDT or -RNNT (https://arxiv.org/abs/2406.06220)."""

    def __init__(self, network: Any, *, device: str, precision: str = "float32") -> None:  # noqa: ANN401 - NeMo has no types
        if not hasattr(network, "joint"):
            raise ConfigurationError("MODEL_ID names a NeMo model that is no transducer: choose a Parakeet TDT or RNNT")
        self._network = network.eval()
        self._device = device
        self._frame_s = network.cfg.preprocessor.window_stride * network.encoder.subsampling_factor
        self._config = _plain(network.cfg.decoding)
        self._cuda_graphs = device == "cuda"
        self._use_strategy()
        self._set_precision(precision)

    @property
    def uses_cuda_graphs(self) -> bool:
        """Whether the search runs on the GPU by itself, with no Python between its steps."""
        return self._cuda_graphs and self._network.decoding.decoding.decoding_computer.cuda_graphs_mode is not None

    def avoid_cuda_graphs(self) -> None:
        """Search without CUDA graphs from now on: some drivers cannot capture them."""
        self._cuda_graphs = False
        self._use_strategy()

    def prepare(self, windows: Sequence[NDArray[np.float32]]) -> NemoBatch:
        """Return `windows` of mono 16 kHz samples as a batch on the device."""
        import torch  # noqa: PLC0415 - importing this module must stay cheap

        longest = max(MIN_SAMPLES, *(len(window) for window in windows))
        signal = torch.zeros(len(windows), longest, pin_memory=self._device == "cuda")
        for row, window in zip(signal.numpy(), windows, strict=True):
            row[: len(window)] = window
        lengths = torch.tensor([max(MIN_SAMPLES, len(window)) for window in windows])
        return NemoBatch(
            signal=signal.to(self._device, non_blocking=True),
            lengths=lengths.to(self._device, non_blocking=True),
            durations_s=tuple(len(window) / SAMPLE_RATE for window in windows),
        )

    def decode(self, batch: NemoBatch, ask: Callable[[], None]) -> list[tuple[Word, ...] | None]:
        """Return each window's words with times (s) from its first sample, None where the output is not finite.

        `ask` is called often, and may raise.
        """
        import torch  # noqa: PLC0415

        with torch.inference_mode(), quiet(), self._interruptible(ask):
            encoded, lengths = self.encode(batch)
            finite = torch.isfinite(encoded).flatten(1).all(dim=1)
            hypotheses = iter(self.search(encoded[finite], lengths[finite]) if finite.any() else ())
        rows = zip(finite.tolist(), batch.durations_s, strict=True)
        return [self._words(next(hypotheses), duration_s) if is_finite else None for is_finite, duration_s in rows]

    def encode(self, batch: NemoBatch) -> tuple[Any, Any]:
        """Return encoder frames [window, channel, frame] and how many of them each window has."""
        features, lengths = self._network.preprocessor(input_signal=batch.signal, length=batch.lengths)
        encoded, lengths = self._network.encoder(audio_signal=features.to(self._dtype), length=lengths)
        return encoded, lengths

    def search(self, encoded: Any, lengths: Any) -> list[Any]:  # noqa: ANN401
        """Return NeMo's hypotheses for encoder frames [window, channel, frame].

        Without CUDA graphs windows are searched one by one: in a batch NeMo 3.0 then gives a token the duration of a
        later frame (https://github.com/NVIDIA-NeMo/NeMo/issues/16097).
        """
        greedy = self._network.decoding.decoding
        if self.uses_cuda_graphs:
            return list(greedy(encoder_output=encoded, encoded_lengths=lengths)[0])
        return [
            greedy(encoder_output=encoded[row : row + 1, :, :length], encoded_lengths=lengths[row : row + 1])[0][0]
            for row, length in enumerate(lengths.tolist())
        ]

    @contextmanager
    def expecting(self, phrases: Sequence[str]) -> Iterator[None]:
        """Boost `phrases` inside this context; raises InvalidInputError where the model cannot."""
        if not phrases:
            yield
            return
        self._check_spelling(phrases)
        try:
            self._use_strategy(phrases=phrases)
            yield
        finally:
            self._use_strategy()

    @contextmanager
    def careful(self) -> Iterator[None]:
        """Compute in float32 inside this context: what overflows in half precision may not overflow there."""
        usual = self._dtype
        try:
            self._set_precision("float32")
            yield
        finally:
            self._set_precision(str(usual).removeprefix("torch."))

    def free_memory(self) -> None:
        """Give cached device memory back."""
        import torch  # noqa: PLC0415

        gc.collect()  # failed calls leave tensors in cycles
        self._forget_cuda_graphs()
        if self._device == "cuda":
            torch.cuda.empty_cache()

    def _forget_cuda_graphs(self) -> None:
        self._network.decoding.decoding.decoding_computer.reset_cuda_graphs_state()

    def _set_precision(self, precision: str) -> None:
        import torch  # noqa: PLC0415

        self._dtype = getattr(torch, precision)
        self._network.to(self._dtype)
        self._network.preprocessor.float()  # spectrograms need the range of float32
        self._forget_cuda_graphs()

    def _check_spelling(self, phrases: Sequence[str]) -> None:
        tokenizer = self._network.tokenizer
        for phrase in phrases:
            if "${" in phrase or not any(map(str.isalnum, phrase)):  # what its configuration takes for a reference
                raise InvalidInputError(f"the hotword {phrase!r} is no word; leave it out", param="hotwords")
            if tokenizer.unk_id in (tokenizer.text_to_ids(phrase) or [tokenizer.unk_id]):
                raise InvalidInputError(f"the model has no letters to spell {phrase!r}; leave it out", param="hotwords")

    def _use_strategy(self, *, phrases: Sequence[str] = ()) -> None:
        """Rebuild the greedy decoder: token durations and probabilities kept, `phrases` boosted."""
        from omegaconf import OmegaConf  # noqa: PLC0415

        greedy: dict[str, Any] = {"loop_labels": True, "use_cuda_graph_decoder": self._cuda_graphs}
        if phrases:
            greedy |= {"boosting_tree": {"key_phrases_list": list(phrases)}, "boosting_tree_alpha": BOOST}
        config = {
            **self._config,
            "strategy": "greedy_batch",
            "tdt_include_token_duration": True,
            "confidence_cfg": {
                "preserve_frame_confidence": True,
                "exclude_blank": True,
                "method_cfg": {"name": "max_prob"},
            },
            "greedy": {**self._config.get("greedy", {}), **greedy},
        }
        with quiet():
            self._network.change_decoding_strategy(OmegaConf.create(config), verbose=False)

    def _words(self, hypothesis: Any, duration_s: float) -> tuple[Word, ...] | None:  # noqa: ANN401
        if not math.isfinite(hypothesis.score):
            return None
        ids = hypothesis.y_sequence.tolist()
        durations = hypothesis.token_duration.tolist() or [1] * len(ids)
        pieces = self._network.tokenizer.ids_to_tokens(ids)
        columns = zip(
            pieces, hypothesis.timestamp.tolist(), durations, hypothesis.non_blank_frame_confidence, strict=True
        )
        return spelled((Token(*column) for column in columns), frame_s=self._frame_s, duration_s=duration_s)

    @contextmanager
    def _interruptible(self, ask: Callable[[], None]) -> Iterator[None]:
        """Call `ask` before every encoder layer and, where Python runs it, at every step of the search."""
        modules = list(self._network.encoder.layers)
        if not self.uses_cuda_graphs:
            modules += [one for name, one in self._network.decoder.prediction.items() if name == "dec_rnn"]
        hooks = [module.register_forward_pre_hook(lambda *_: ask()) for module in modules]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()


def _plain(config: Any) -> dict[str, Any]:  # noqa: ANN401 - OmegaConf has no types
    from omegaconf import OmegaConf  # noqa: PLC0415

    plain: dict[str, Any] = OmegaConf.to_container(config, resolve=True)
    return plain
