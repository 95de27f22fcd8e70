"""The real Redis workers, one of each kind, with models that know what they hear; run as a program: FOLDER.

A request whose hotwords begin with `wait` is at work until the folder has a file `go`; the folder's `diary` has a line
`began NAME` or `ended NAME` for each transcription, NAME being the last hotword.
"""

import os
import sys
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from common.job import boundary_of
from common.redis_queue import QUEUE_URL
from common.timeline import Turn, Word
from handlers.diarization.engine import Diarization
from handlers.diarization.handler import diarization_worker
from handlers.redis_worker import serve_queue
from handlers.transcription.engine import Hypothesis
from handlers.transcription.handler import transcription_worker
from handlers.worker import load_or_exit, settings_of_process

WORDS = (Word("Hello", 0.1, 0.3), Word("there.", 0.3, 0.5), Word("Hi.", 0.6, 0.8))
TURNS = (Turn(0.1, 0.5, "SPEAKER_00"), Turn(0.55, 0.9, "SPEAKER_01"))
TEXT = "Hello there. Hi."
LOOK_S = 0.02


@dataclass
class Voices:
    """Hears two speakers in everything."""

    model, device, warnings = "voices", "cpu", ()
    embedding_dimension, same_voice_similarity = 0, 1.0

    def diarize(self, samples, *, count, tick):
        return Diarization(turns=TURNS, exclusive=TURNS, embeddings={})


@dataclass
class Words:
    """Hears three words in everything, when it may."""

    folder: Path
    model, device, warnings = "words", "cpu", ()

    def transcribe(self, samples, *, options, tick):
        if options.spans is None:
            self._work(options.hotwords, tick)
        return Hypothesis(words=WORDS, language="en")

    def _work(self, hotwords, tick):
        self._note("began", hotwords)
        while hotwords[:1] == ("wait",) and not (self.folder / "go").exists():
            time.sleep(LOOK_S)
            tick("transcribing", 0.5)
        self._note("ended", hotwords)

    def _note(self, event, hotwords):
        with (self.folder / "diary").open("a") as file:
            file.write(f"{event} {(hotwords or ('-',))[-1]}\n")


def build(kind, folder, settings, post):
    common = {"limits": settings.limits, "boundary": boundary_of(settings), "post": post}
    return (
        diarization_worker(Voices(), **common)
        if kind == "diarization"
        else transcription_worker(Words(folder), **common)
    )


if __name__ == "__main__":
    (folder,) = sys.argv[1:]
    kind = "diarization" if os.fork() else "transcription"  # both import once what they have in common
    os.environ["ALLOW_PRIVATE_ADDRESSES"] = "1"  # as the worker's own main does
    settings, url = settings_of_process(), QUEUE_URL.read(os.environ, laptop=False)
    sys.exit(load_or_exit(lambda: serve_queue(kind, settings, partial(build, kind, Path(folder)), url=url)))
