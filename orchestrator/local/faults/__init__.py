"""A script of what goes wrong at which call of which route; used by tests only.

    script = FaultScript(seed=7)
    script.add("transcription", "run", Drop(after=True))              # the first call: accepted, the answer lost
    script.add("diarization", "status", Answer(status=502), call=2, times=3)
    script.add("*", "job-done", Delay(seconds=0.2), times=None, probability=0.1)
    async with LocalPlatform(endpoints, settings, faults=script): ...

Routes go by their name in the path: run, runsync, status, stream, cancel, retry, health, purge-queue, idempotency for
callers; job-take (also in batches), job-stop, job-done, job-stream, ping for workers.

A fault strikes before the handler of the route runs (nothing was accepted) or `after` it (it was, and only the answer
suffers).
"""

from orchestrator.local.faults.answers import Answer, Delay, Drop, HalfBody, html_page
from orchestrator.local.faults.call import Fault
from orchestrator.local.faults.jobs import DoubleDelivery, ExpireResult, FaultyQueue, LoseWorker
from orchestrator.local.faults.repeats import LateProgress, Twice
from orchestrator.local.faults.script import FaultScript

__all__ = [
    "Answer",
    "Delay",
    "DoubleDelivery",
    "Drop",
    "ExpireResult",
    "Fault",
    "FaultScript",
    "FaultyQueue",
    "HalfBody",
    "LateProgress",
    "LoseWorker",
    "Twice",
    "html_page",
]
