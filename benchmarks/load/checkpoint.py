"""A `.nemo` file with the architecture of nvidia/parakeet-tdt-0.6b-v2 and random weights; as a program: PATH LAYERS."""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

LAYERS, QUICK_LAYERS = 24, 4
_PIECES = 1024
_CONSONANTS, _VOWELS = tuple("bcdfghjklmnpqrstvwxyz"), tuple("aeiou")


def make_checkpoint(path: Path, *, layers: int) -> float:
    """Write the file as NeMo does; returns the parameters in millions."""
    import torch  # noqa: PLC0415 - takes seconds

    from handlers.nemo.quiet_import import import_nemo, quiet  # noqa: PLC0415 - see above

    with quiet(), TemporaryDirectory() as folder:
        import_nemo()
        from nemo.collections.asr.models import EncDecRNNTBPEModel  # noqa: PLC0415 - see above

        torch.manual_seed(0)
        _train_tokenizer(Path(folder))
        model = EncDecRNNTBPEModel(cfg=_config(Path(folder), layers=layers))
        model.save_to(str(path))
        return sum(parameter.numel() for parameter in model.parameters()) / 1e6


def _train_tokenizer(folder: Path) -> None:
    """Write `tokenizer.model` and `vocab.txt`: pieces of random syllables."""
    import sentencepiece  # noqa: PLC0415 - see above

    rng = np.random.default_rng(0)
    syllables = np.char.add(rng.choice(_CONSONANTS, 60_000), rng.choice(_VOWELS, 60_000))
    words = ("".join(word) for word in syllables.reshape(-1, 3))
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=words,
        model_prefix=str(folder / "tokenizer"),
        vocab_size=_PIECES,
        model_type="bpe",
        bos_id=-1,
        eos_id=-1,
        minloglevel=2,
    )
    pieces = sentencepiece.SentencePieceProcessor(model_file=str(folder / "tokenizer.model"))
    names = [pieces.id_to_piece(index) for index in range(pieces.get_piece_size())]
    (folder / "vocab.txt").write_text("".join(f"{name}\n" for name in names), encoding="utf-8")


def _config(tokenizer_folder: Path, *, layers: int) -> object:
    """Return the tiny test model's configuration at the full model's size.

    Random weights find a token nearly always, so that a frame may have one and not ten: a decoding with as many tokens
    as no speech has would be most of what an inference takes.
    """
    from omegaconf import OmegaConf  # noqa: PLC0415 - see above

    from tests.fixtures.tiny_parakeet.model import model_config  # noqa: PLC0415 - see above

    return OmegaConf.merge(
        model_config(tokenizer_folder),
        {
            "model_defaults": {"enc_hidden": 1024, "pred_hidden": 640, "joint_hidden": 640},
            "preprocessor": {"features": 128},
            "encoder": {
                "feat_in": 128,
                "n_layers": layers,
                "d_model": 1024,
                "n_heads": 8,
                "ff_expansion_factor": 4,
                "subsampling_conv_channels": 256,
                "conv_kernel_size": 9,
            },
            "decoder": {"prednet": {"pred_hidden": 640, "pred_rnn_layers": 2}},
            "joint": {"jointnet": {"joint_hidden": 640}},
            "decoding": {"greedy": {"max_symbols": 1}},
        },
    )


if __name__ == "__main__":
    make_checkpoint(Path(sys.argv[1]), layers=int(sys.argv[2]))
