"""Parakeet's network of NeMo's own parts, without the model class around them, which is made for training."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from torch import nn

from common.errors import ConfigurationError
from handlers.nemo.lean_copy import import_lean

TARGET = "nemo.collections.asr.models.rnnt_bpe_models.EncDecRNNTBPEModel"
MODULES = "nemo.collections.asr.modules"
PARTS = {
    "preprocessor": f"{MODULES}.AudioToMelSpectrogramPreprocessor",
    "encoder": f"{MODULES}.ConformerEncoder",
    "decoder": f"{MODULES}.RNNTDecoder",
    "joint": f"{MODULES}.RNNTJoint",
}
STORED = "nemo"  # how a configuration names a file that is in the archive with it: nemo:NAME
OTHER_DECODER = "multiblank_rnnt"  # a loss with a decoder of its own
TDT = "tdt"  # a loss with durations
# What is taken from a configuration without a default.
NEEDED = {
    ("decoding",): dict,
    ("model_defaults", "enc_hidden"): int,
    ("model_defaults", "pred_hidden"): int,
    ("joint", "jointnet"): dict,
}
NEEDED_BY_TDT = {("loss", "tdt_kwargs", "durations"): list}

Configuration = Mapping[str, Any]


def is_transducer(config: object) -> bool:
    """Tell whether `config`, as read from its file, is that of a model that `Transducer` is equal to."""
    return (
        isinstance(config, dict)
        and config.get("target") == TARGET
        and "adapters" not in config
        and all(_is_plain(config.get(part), target) for part, target in PARTS.items())
        and _tokenizer_file(config) is not None
        and _loss(config).get("loss_name") != OTHER_DECODER
        and "${" not in str(config)  # values that are to be taken from elsewhere
    )


class Transducer(nn.Module):  # type: ignore[misc] # torch has no types here
    """What `EncDecRNNTBPEModel` is at inference: the same parts under the same names, with the same weights.

    It is content with less than NeMo: `decoding.strategy`, `decoding.durations`, `tokenizer.vocab_path` may be missing.
    """

    def __init__(self, config: Configuration, folder: Path) -> None:
        """Build the network that `config` describes; the tokenizer is in `folder`.

        Raises ConfigurationError for a configuration that lacks something; NeMo's own errors pass through.
        """
        super().__init__()
        _require(config)
        import_lean("nemo.utils").logging.setLevel(logging.ERROR)
        self.tokenizer, pieces = _tokenizer(folder / str(_tokenizer_file(config)))
        joint, sizes = config["joint"], config["model_defaults"]
        hidden = {"encoder_hidden": sizes["enc_hidden"], "pred_hidden": sizes["pred_hidden"]}
        self.preprocessor = _built(config["preprocessor"])
        self.encoder = _built(config["encoder"])
        self.decoder = _built({**config["decoder"], "vocab_size": len(pieces)})
        self.joint = _built(
            {**joint, "num_classes": len(pieces), "jointnet": {**joint["jointnet"], **hidden}}, vocabulary=pieces
        )
        self.cfg = OmegaConf.create({name: config[name] for name in ("preprocessor", "decoding")})
        self._durations = _loss(config)["tdt_kwargs"]["durations"] if _is_tdt(config) else None
        self.change_decoding_strategy(self.cfg.decoding)

    def forward(self, *, input_signal: Any, input_signal_length: Any) -> tuple[Any, Any]:  # noqa: ANN401 - no types
        """Return encoder frames [batch, channel, frame] of a signal [batch, sample], and how many each has."""
        features, length = self.preprocessor(input_signal=input_signal, length=input_signal_length)
        encoded, length = self.encoder(audio_signal=features, length=length)
        return encoded, length

    def change_decoding_strategy(self, config: Any, *, verbose: bool = False) -> None:  # noqa: ANN401, ARG002 - NeMo's
        """Decode as `config` says from now on, which NeMo's defaults complete."""
        rnnt_decoding = import_lean("nemo.collections.asr.parts.submodules.rnnt_decoding")
        defaults = OmegaConf.to_container(OmegaConf.structured(rnnt_decoding.RNNTBPEDecodingConfig))
        completed = OmegaConf.merge(OmegaConf.create(defaults), config)
        if self._durations is not None:
            completed.durations = self._durations
        self.decoding = rnnt_decoding.RNNTBPEDecoding(
            decoding_cfg=completed, decoder=self.decoder, joint=self.joint, tokenizer=self.tokenizer
        )
        self.joint.temperature = completed.get("temperature", 1.0)
        self.cfg.decoding = completed


def _is_plain(config: object, target: str) -> bool:
    """Tell whether `config` is that of a module of this class, with nothing inside that is to be built as well."""
    return isinstance(config, dict) and config.get("_target_") == target and str(config).count("'_target_'") == 1


def _require(config: Configuration) -> None:
    for path, kind in (NEEDED | NEEDED_BY_TDT if _is_tdt(config) else NEEDED).items():
        found: object = config
        for name in path:
            found = found.get(name) if isinstance(found, Mapping) else None
        if not isinstance(found, kind):
            raise ConfigurationError(f"the configuration in the model's checkpoint has no {'.'.join(path)}")


def _is_tdt(config: Configuration) -> bool:
    return bool(_loss(config).get("loss_name") == TDT)


def _loss(config: Configuration) -> Configuration:
    return _section(config, "loss")


def _section(config: Configuration, name: str) -> Configuration:
    section = config.get(name)
    return section if isinstance(section, dict) else {}


def _tokenizer_file(config: Configuration) -> str | None:
    """Return the archive's file with the SentencePiece model; None where the tokenizer is of another kind."""
    tokenizer = _section(config, "tokenizer")
    stored, _, name = str(tokenizer.get("model_path", "")).rpartition(":")
    plain = tokenizer.get("type") == "bpe" and "custom_tokenizer" not in tokenizer
    return name if plain and stored == STORED and Path(name).name == name else None


def _tokenizer(model: Path) -> tuple[Any, list[str]]:
    """Return the tokenizer as NeMo's models set it up, and its pieces, each once."""
    module = import_lean("nemo.collections.common.tokenizers.sentencepiece_tokenizer")
    tokenizer = module.SentencePieceTokenizer(model_path=str(model))
    vocabulary = {piece: index + 1 for index, piece in enumerate(tokenizer.ids_to_tokens(range(tokenizer.vocab_size)))}
    tokenizer.tokenizer.vocab_size = len(vocabulary)
    tokenizer.tokenizer.get_vocab = lambda: vocabulary
    tokenizer.tokenizer.all_special_tokens = tokenizer.special_token_to_id
    return tokenizer, list(vocabulary)


def _built(config: Configuration, **further: object) -> Any:  # noqa: ANN401
    """Return the module that `config` describes, as Hydra makes it."""
    package, _, name = config["_target_"].rpartition(".")
    kept = OmegaConf.create({key: value for key, value in config.items() if key not in {"_target_", *further}})
    return getattr(import_lean(package), name)(**{str(key): kept[key] for key in kept}, **further)
