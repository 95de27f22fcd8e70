"""What a Parakeet hears in the test clip, for comparing two ways of loading it."""

from pathlib import Path

import numpy as np
import soundfile

from handlers.transcription.nemo_decoder import NemoDecoder

FIXTURE = Path(__file__).parent.parent / "fixtures" / "tiny_parakeet"
TINY = FIXTURE / "tiny-parakeet-tdt.nemo"
WINDOW_SAMPLES = 96_000
NOISE = 0.05  # loud enough for words to be unsure
HOTWORDS = ("now", "not the door")


def hearing(network):
    """Every word of a window with and without noise, without and with hotwords: text, times, confidence."""
    samples = soundfile.read(FIXTURE / "clip.flac", dtype="float32")[0][:WINDOW_SAMPLES]
    noise = NOISE * np.random.default_rng(0).standard_normal(WINDOW_SAMPLES, np.float32)
    decoder = NemoDecoder(network, device="cpu")
    batch = decoder.prepare([samples, samples + noise])
    heard = decoder.decode(batch, lambda: None)
    with decoder.expecting(HOTWORDS):
        boosted = decoder.decode(batch, lambda: None)
    return [[[word.text, word.start, word.end, word.confidence] for word in words] for words in (*heard, *boosted)]
