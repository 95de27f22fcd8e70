import numpy as np
import pytest

from common.errors import DeviceLostError
from handlers.diarization.engine import Diarization, SpeakerCount
from handlers.diarization.pyannote_engine import PyannoteEngine


def engine(fast):
    return PyannoteEngine(None, model="any", device="cuda", embedding_dimension=3, same_voice_similarity=0.7, fast=fast)


def diarize(engine, samples):
    return engine.diarize(samples, count=SpeakerCount(), tick=lambda *_: None)


def test_a_gpu_that_is_lost_is_told_from_other_failures():
    def failing(message):
        def fast(samples, *, count, tick):
            raise RuntimeError(message)

        return engine(fast)

    audio = np.ones(16_000, np.float32)
    with pytest.raises(DeviceLostError, match="send the job again"):
        diarize(failing("CUDA error: an illegal memory access was encountered"), audio)
    with pytest.raises(RuntimeError, match="something else"):
        diarize(failing("something else"), audio)


def test_no_audio_asks_no_model():
    def fast(samples, *, count, tick):
        raise AssertionError("not to be called")

    assert diarize(engine(fast), np.zeros(0, np.float32)) == Diarization(turns=(), exclusive=(), embeddings={})
