"""Tiny NeMo Sortformers with random weights: built like NVIDIA's, with speakers that come and go with the sound."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from omegaconf import OmegaConf

from handlers.nemo.quiet_import import import_nemo, quiet

SPEAKERS = 4
MODULES = "nemo.collections.asr.modules"
SPECTROGRAM = {
    "sample_rate": 16_000,
    "window_size": 0.025,
    "window_stride": 0.01,
    "window": "hann",
    "features": 20,
    "n_fft": 512,
}
CONFORMER = {
    "feat_in": 20,
    "n_layers": 2,
    "d_model": 32,
    "n_heads": 4,
    "conv_kernel_size": 9,
    "subsampling": "dw_striding",
    "subsampling_factor": 8,
    "subsampling_conv_channels": 16,
}
TRANSFORMER = {
    "num_layers": 2,
    "hidden_size": 16,
    "inner_size": 32,
    "num_attention_heads": 4,
    "hidden_act": "relu",
    "pre_ln": False,
    "pre_ln_final_layer_norm": True,
}
STREAMING = {
    "spkcache_len": 24,
    "fifo_len": 10,
    "chunk_len": 20,
    "chunk_left_context": 1,
    "chunk_right_context": 2,
    "spkcache_update_period": 15,
}


def configuration(*, streaming: bool, normalize: str) -> dict[str, Any]:
    """The keys of NVIDIA's own configurations, at a thousandth of their size."""
    sizes = {"fc_d_model": 32, "tf_d_model": 16}
    return {
        "target": "nemo.collections.asr.models.sortformer_diar_models.SortformerEncLabelModel",
        "sample_rate": 16_000,
        "max_num_of_spks": SPEAKERS,
        "streaming_mode": streaming,
        "model_defaults": sizes,
        "preprocessor": {"_target_": f"{MODULES}.AudioToMelSpectrogramPreprocessor", "normalize": normalize}
        | SPECTROGRAM,
        "encoder": {"_target_": f"{MODULES}.ConformerEncoder"} | CONFORMER,
        "sortformer_modules": {
            "_target_": f"{MODULES}.sortformer_modules.SortformerModules",
            "num_spks": SPEAKERS,
            "spkcache_sil_frames_per_spk": 1,
        }
        | sizes
        | (STREAMING if streaming else {}),
        "transformer_encoder": {"_target_": f"{MODULES}.transformer.transformer_encoders.TransformerEncoder"}
        | TRANSFORMER,
        "loss": {"_target_": "nemo.collections.asr.losses.bce_loss.BCELoss", "weight": None, "reduction": "mean"},
    }


def make_sortformer(path: Path, audio: np.ndarray, *, streaming: bool, normalize: str) -> Path:
    """Write a checkpoint whose speakers each talk about a third of `audio`, at odds of about 1 : 20 to 20 : 1."""
    with quiet(), torch.random.fork_rng():
        import_nemo()
        from nemo.collections.asr.models import SortformerEncLabelModel  # noqa: PLC0415 - takes seconds

        torch.manual_seed(5)
        config = OmegaConf.create(configuration(streaming=streaming, normalize=normalize))
        network = SortformerEncLabelModel(cfg=config).eval()
        _spread(network, nemo_probabilities(network, audio))
        network.save_to(str(path))
    return path


def nemo_probabilities(network: Any, audio: np.ndarray) -> torch.Tensor:
    """What NeMo's own forward gives, [frame, speaker]."""
    with quiet(), torch.inference_mode():
        signal, length = torch.from_numpy(audio)[None], torch.tensor([len(audio)])
        return network.forward(audio_signal=signal, audio_signal_length=length)[0]


def _spread(network: Any, probabilities: torch.Tensor) -> None:
    """Scale and shift the last layer, whose random weights make every probability a half."""
    odds = torch.logit(probabilities)
    mean, deviation = odds.mean(dim=0), odds.std(dim=0)
    last = network.sortformer_modules.single_hidden_to_spks
    scale = 3.0 / deviation
    with torch.no_grad():
        last.bias.copy_((last.bias - mean) * scale - 1.0)
        last.weight.mul_(scale[:, None])
