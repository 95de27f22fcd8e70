"""The real transcription worker with a model that hears nothing but pitches; run as a program."""

from functools import partial

import numpy as np

from common.audio.limits import SAMPLE_RATE
from common.contract import TranscriptionRequest
from common.runpod_loop import post_progress
from common.timeline import Word
from handlers.transcription.engine import Hypothesis
from handlers.transcription.handler import transcribe
from handlers.worker import Worker, serve_worker, settings_of_process
from tests.support.audio_files import heard_hz

HEARD_S = 20  # in the middle of each third of the recording


class Listener:
    """Says the loudest frequency in the middle of each third."""

    model, device, warnings = "listener", "cpu", ()

    def transcribe(self, samples, *, options, tick):
        third_s = len(samples) / SAMPLE_RATE / 3
        starts_s = [(index + 0.5) * third_s for index in range(3)]
        middles = [samples[int(at * SAMPLE_RATE) :][: HEARD_S * SAMPLE_RATE] for at in starts_s]
        heard = heard_hz(np.concatenate(middles))
        words = [Word(f"{hz:.0f}Hz", at, at + HEARD_S) for hz, at in zip(heard, starts_s, strict=True)]
        return Hypothesis(words=tuple(words), language="en")


if __name__ == "__main__":
    settings = settings_of_process()
    worker = Worker(
        name="transcription",
        request_type=TranscriptionRequest,
        infer=partial(transcribe, Listener()),
        limits=settings.limits,
        post_progress=post_progress,
    )
    serve_worker(worker, settings)
