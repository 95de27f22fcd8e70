"""A loaded NeMo Sortformer: audio in, the probability of each speaker in each frame out."""

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.audio.limits import SAMPLE_RATE
from common.errors import ConfigurationError
from handlers.diarization.activity import Probabilities
from handlers.nemo.quiet_import import quiet

MIN_SAMPLES = SAMPLE_RATE  # features may be normalised over the audio, which takes more than one frame
PIECE_FRAMES = 2000  # of features computed at once, 20 s: those of hours at once would take gigabytes

Report = Callable[[float], None]  # told the fraction that is done; may raise to stop


class SortformerNetwork:
    """Encoder, transformer and four outputs (https://arxiv.org/abs/2409.06656), over all audio at once or streaming.

    Streaming goes through the audio in chunks and remembers the speakers in a cache
    (https://arxiv.org/abs/2507.18446), so that the length does not matter; over all at once memory grows with its
    square. `streaming` replaces the chunks and the cache that the checkpoint is configured for.
    """

    def __init__(self, network: Any, *, device: str, streaming: Mapping[str, int]) -> None:  # noqa: ANN401 - NeMo has no types
        if not hasattr(network, "sortformer_modules"):
            raise ConfigurationError("DIARIZATION_MODEL names a NeMo model that is no Sortformer: choose one that is")
        self._network = network.eval()
        self._device = device
        convolutions = (one for one in network.encoder.pre_encode.modules() if [*one.parameters(recurse=False)])
        self._layers = [*convolutions, *network.encoder.layers, *network.transformer_encoder.layers]
        self.is_streaming = bool(network.streaming_mode)
        self.speakers = int(network.sortformer_modules.n_spk)
        self.frame_s = float(network.cfg.preprocessor.window_stride * network.encoder.subsampling_factor)
        if self.is_streaming:
            self._set_up_streaming(streaming)

    def probabilities(self, samples: NDArray[np.float32], report: Report) -> Probabilities:
        """Return the probabilities [frame, speaker] of mono 16 kHz `samples`, padded to a second if they are shorter.

        `report` is called before every layer of the network, and what it raises passes through.
        """
        import torch  # noqa: PLC0415 - importing this module must stay cheap

        padded = np.pad(samples, (0, max(0, MIN_SAMPLES - len(samples))))
        with torch.inference_mode(), quiet():
            found = self._streamed(padded, report) if self.is_streaming else self._at_once(padded, report)
        return np.ascontiguousarray(found[0].float().cpu().numpy())

    def _set_up_streaming(self, parameters: Mapping[str, int]) -> None:
        for name, value in parameters.items():
            setattr(self._network.sortformer_modules, name, value)
        self._network.async_streaming = False  # for batches of streams that are not in step
        featurizer = self._network.preprocessor.featurizer
        self._normalize, featurizer.normalize = featurizer.normalize, None  # over all the audio, not over pieces

    def _at_once(self, samples: NDArray[np.float32], report: Report) -> Any:  # noqa: ANN401 - torch has no types here
        signal, length = self._batch(samples)
        with self._reporting(report, passes=1):
            return self._network.forward(audio_signal=signal, audio_signal_length=length)

    def _streamed(self, samples: NDArray[np.float32], report: Report) -> Any:  # noqa: ANN401
        """Do as NeMo's `forward_streaming`, whose memory and progress bar grow with the audio."""
        import torch  # noqa: PLC0415

        features = self._features(samples, report)
        modules = self._network.sortformer_modules
        state = modules.init_streaming_state(batch_size=1, device=self._device)
        none = torch.zeros(1, 0, self.speakers, device=self._device)
        chunk_frames = modules.chunk_len * modules.subsampling_factor
        found = []
        with self._reporting(report, passes=math.ceil(features.shape[2] / chunk_frames)):
            for chunk, left, right in _chunks(features, modules):
                state, predicted = self._network.forward_streaming_step(
                    processed_signal=chunk.to(self._device),
                    processed_signal_length=torch.tensor([chunk.shape[1]], device=self._device),
                    streaming_state=state,
                    total_preds=none,
                    left_offset=left,
                    right_offset=right,
                )
                found.append(predicted.cpu())
        return torch.cat(found, dim=1)

    def _features(self, samples: NDArray[np.float32], report: Report) -> Any:  # noqa: ANN401
        """Return the spectrogram [1, band, frame] in main memory, equal to that of all samples at once."""
        import torch  # noqa: PLC0415
        from nemo.collections.asr.parts.preprocessing.features import normalize_batch  # noqa: PLC0415

        featurizer = self._network.preprocessor.featurizer
        hop, around = featurizer.hop_length, math.ceil((featurizer.n_fft // 2 + 1) / featurizer.hop_length)
        length = featurizer.get_seq_len(torch.tensor([len(samples)]))
        features = torch.empty(1, featurizer.nfilt, int(length))
        for first in range(0, int(length), PIECE_FRAMES):
            report(0.0)
            before, last = max(first - around, 0), min(first + PIECE_FRAMES, int(length))
            signal, signal_length = self._batch(samples[before * hop : (last + around) * hop])
            found, _ = self._network.preprocessor(input_signal=signal, length=signal_length)
            features[:, :, first:last] = found[:, :, first - before : last - before]
        return normalize_batch(features, length, self._normalize)[0] if self._normalize else features

    def _batch(self, samples: NDArray[np.float32]) -> tuple[Any, Any]:
        import torch  # noqa: PLC0415

        signal = torch.from_numpy(samples)[None].to(self._device)
        return signal, torch.tensor([len(samples)], device=self._device)

    @contextmanager
    def _reporting(self, report: Report, *, passes: int) -> Iterator[None]:
        """Report before every layer, which runs once in each of `passes`."""
        done, total = 0, passes * len(self._layers)

        def count(*_: object) -> None:
            nonlocal done
            report(min(done / total, 1.0))  # long audio may pass a convolution in several parts
            done += 1

        hooks = [layer.register_forward_pre_hook(count) for layer in self._layers]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()


def _chunks(features: Any, modules: Any) -> Iterator[tuple[Any, int, int]]:  # noqa: ANN401
    """Yield chunks [1, frame, band] with how many frames of context each has on its left and right."""
    frames, step = features.shape[2], modules.chunk_len * modules.subsampling_factor
    for first in range(0, frames, step):
        last = min(first + step, frames)
        left = min(modules.chunk_left_context * modules.subsampling_factor, first)
        right = min(modules.chunk_right_context * modules.subsampling_factor, frames - last)
        yield features[:, :, first - left : last + right].transpose(1, 2), left, right
