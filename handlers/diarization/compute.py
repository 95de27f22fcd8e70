"""Where batches are computed: on a CPU by several threads with one core each, elsewhere one after the other."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from threading import Barrier
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from handlers.faults import is_out_of_memory

TaskT = TypeVar("TaskT")
ResultT = TypeVar("ResultT")
Report = Callable[[float], None]  # is told the share that is done, after each batch and every TICK_S; raises to stop

TICK_S = 0.2
MAX_THREADS = 16  # each of which takes 100 MB
START_S = 60.0


class Compute:
    """Runs the batches of one job at a time. Small models keep one core busy, but not several."""

    def __init__(self, device: str) -> None:
        self._cores = 1
        self._threads: ThreadPoolExecutor | None = None
        if device == "cpu":
            self._cores, self._threads = _single_core_threads()

    def share(self, tasks: int, *, at_most: int) -> int:
        """Return how many of `tasks` to put into one batch: few enough that all threads have one."""
        return max(1, min(at_most, -(-tasks // self._cores)))

    def map(self, run: Callable[[TaskT], ResultT], tasks: Sequence[TaskT], report: Report) -> list[ResultT]:
        """Return `run(task)` for each task, in order; what `report` or a task raises ends it, once none is running."""
        report(0.0)
        if self._threads is None:
            return list(_one_by_one(run, tasks, report))
        with _all_ended([self._threads.submit(run, task) for task in tasks]) as futures:
            running = set(futures)
            while running:
                done, running = wait(running, timeout=TICK_S, return_when=FIRST_COMPLETED)
                for future in done:
                    future.result()
                report(1 - len(running) / len(futures))
        return [future.result() for future in futures]


@contextmanager
def one_core() -> Iterator[None]:
    """Compute with one core inside the block: small tensors take longer with more, waking threads for each of them."""
    import torch  # noqa: PLC0415 - slow

    allowed = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(allowed)


def halved(run: Callable[[Sequence[TaskT]], NDArray[Any]], tasks: Sequence[TaskT]) -> NDArray[Any]:
    """Return `run(tasks)`, or the same of each half put together if a GPU's memory is too small for all at once."""
    try:
        return run(tasks)
    except (RuntimeError, MemoryError) as error:
        if len(tasks) == 1 or not is_out_of_memory(error):
            raise
    half = len(tasks) // 2  # outside of the handler, whose error keeps the tensors
    return np.concatenate([halved(run, tasks[:half]), halved(run, tasks[half:])])


def _one_by_one(run: Callable[[TaskT], ResultT], tasks: Sequence[TaskT], report: Report) -> Iterator[ResultT]:
    for number, task in enumerate(tasks, 1):
        yield run(task)
        report(number / len(tasks))


@contextmanager
def _all_ended(futures: list[Future[ResultT]]) -> Iterator[list[Future[ResultT]]]:
    try:
        yield futures
    finally:
        for future in futures:
            future.cancel()
        wait(futures)


def _single_core_threads() -> tuple[int, ThreadPoolExecutor]:
    """Return how many cores torch uses, and as many threads, each of which computes with one."""
    import torch  # noqa: PLC0415 - slow

    allowed = torch.get_num_threads()
    cores = min(allowed, MAX_THREADS)
    all_started = Barrier(cores, timeout=START_S)

    def start(_: int) -> None:
        torch.get_num_threads()  # a thread's first call takes the number that was set last, by any thread
        torch.set_num_threads(1)
        all_started.wait()

    executor = ThreadPoolExecutor(cores, "diarization")
    list(executor.map(start, range(cores)))
    torch.set_num_threads(allowed)  # for this thread and those that begin later
    return cores, executor
