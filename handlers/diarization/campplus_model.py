"""CAM++ as a pyannote model, for pyannote's own run of the bundled pipeline. Import only after `import_pyannote`."""

from pathlib import Path

import torch
from pyannote.audio import Model

from handlers.diarization.campplus import DIMENSION, filter_banks, load_campplus, voiced_features


class CampPlusEmbedding(Model):  # type: ignore[misc]  # pyannote has no types
    """192-dimensional speaker embeddings of 16 kHz waveforms, each of the frames that its mask selects."""

    dimension = DIMENSION

    def __init__(self, package: Path) -> None:
        super().__init__(sample_rate=16000, num_channels=1)
        self.network = load_campplus(package)

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
