"""The diarization worker with an engine that finds nothing hard, set up from the environment; run as a program."""

import logging

from common.job import boundary_of
from handlers.diarization.fake import FakeDiarization
from handlers.diarization.handler import diarization_worker
from handlers.worker import serve_worker, settings_of_process


class TalkativeDiarization(FakeDiarization):
    """Logs from the inference thread, as a library does."""

    def diarize(self, samples, *, count, tick):
        logging.getLogger("library").warning("decoding %d samples", len(samples))
        return super().diarize(samples, count=count, tick=tick)


if __name__ == "__main__":
    settings = settings_of_process()
    worker = diarization_worker(TalkativeDiarization(), limits=settings.limits, boundary=boundary_of(settings))
    serve_worker(worker, settings)
