"""The real Redis worker with a model whose request says what it is to do; run as a program: KIND RULES DIARY.

Its diary has one line for each beginning and each end of an inference: `began n pid`, `ended n pid`.
"""

import json
import os
import random
import sys
import time
from functools import partial
from pathlib import Path
from typing import Literal

from common.contract import AudioRequest
from common.errors import DeviceLostError, EngineError
from common.job import boundary_of
from common.redis_queue import QUEUE_URL, QueueRules
from handlers.redis_worker import serve_queue
from handlers.worker import Worker, load_or_exit, settings_of_process

STEP_S = 0.01


class ToyRequest(AudioRequest):
    action: Literal["work", "hang", "fail", "lose_device", "big"] = "work"
    n: int = 0
    seconds: float = 0.0


def write(diary, event, request):
    with diary.open("a") as file:
        file.write(f"{event} {request.n} {os.getpid()}\n")


def infer(diary, request, samples, tick):
    write(diary, "began", request)
    try:
        return ACTIONS[request.action](request, tick)
    finally:
        write(diary, "ended", request)


def work(request, tick):
    until, began = time.monotonic() + request.seconds, time.monotonic()
    while time.monotonic() < until:
        time.sleep(STEP_S)
        tick("working", (time.monotonic() - began) / request.seconds)
    return {"n": request.n, "pid": os.getpid()}


def hang(request, tick):
    time.sleep(request.seconds)  # one step of a model, in which it cannot be stopped
    return work(request, tick)


def fail(request, tick):
    raise EngineError("the model cannot do this")


def lose_device(request, tick):
    raise DeviceLostError("the GPU is gone")


def big(request, tick):
    numbers = random.Random(request.n)
    return {"words": numbers.choices(range(1000), k=2_200_000)}  # 11 MB of JSON, above what is sent as it is


ACTIONS = {"work": work, "hang": hang, "fail": fail, "lose_device": lose_device, "big": big}


def build(diary, settings, post):
    return Worker(
        name="toy",
        request_type=ToyRequest,
        infer=partial(infer, diary),
        limits=settings.limits,
        post_progress=post,
        boundary=boundary_of(settings),
    )


if __name__ == "__main__":
    kind, rules, diary = sys.argv[1:]
    settings, url = settings_of_process(), QUEUE_URL.read(os.environ, laptop=False)
    rules = QueueRules(**json.loads(rules))
    sys.exit(load_or_exit(lambda: serve_queue(kind, settings, partial(build, Path(diary)), url=url, rules=rules)))
