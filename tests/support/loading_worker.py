"""The real diarization worker with a model that takes its time to load; run as a program: FOLDER.

It loads until the folder has a file `go`, which may say `fail`; what happens is told in the folder's `diary`.
"""

import sys
import time
from pathlib import Path

from common.errors import ConfigurationError
from common.job import boundary_of
from handlers.diarization.fake import FakeDiarization
from handlers.diarization.handler import diarization_worker
from handlers.worker import load_engine, load_or_exit, serve_worker, settings_of_process

FOLDER = Path(sys.argv[-1])
LOOK_S = 0.01


def note(event):
    with (FOLDER / "diary").open("a") as file:
        file.write(f"{event}\n")


class NotingDiarization(FakeDiarization):
    """Notes that it was asked."""

    def diarize(self, samples, *, count, tick):
        note("asked")
        return super().diarize(samples, count=count, tick=tick)


def load():
    note("loading")
    go = FOLDER / "go"
    while not go.exists():
        time.sleep(LOOK_S)
    if go.read_text() == "fail":
        raise ConfigurationError("the model cannot be loaded: it is a test's")
    note("loaded")
    return NotingDiarization()


if __name__ == "__main__":
    settings = settings_of_process()
    engine = load_or_exit(lambda: load_engine(load))
    serve_worker(diarization_worker(engine, limits=settings.limits, boundary=boundary_of(settings)), settings)
