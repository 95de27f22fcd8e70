"""Async work finished from code that is not async, also where a notebook's own event loop is running."""

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

ResultT = TypeVar("ResultT")


def finished(work: Coroutine[Any, Any, ResultT]) -> ResultT:
    """Return the result of `work`; Ctrl-C cancels it."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    return _finished_beside(work)


def _finished_beside(work: Coroutine[Any, Any, ResultT]) -> ResultT:
    """Run `work` in a thread, for a notebook has a loop of its own in this one; Ctrl-C cancels it there."""
    loop = asyncio.new_event_loop()
    task = loop.create_task(work)
    with ThreadPoolExecutor(max_workers=1) as pool:
        running = pool.submit(_run_to_end, loop, task)
        try:
            return running.result()
        except BaseException:
            if not running.done():
                loop.call_soon_threadsafe(task.cancel)
            raise


def _run_to_end(loop: asyncio.AbstractEventLoop, task: "asyncio.Task[ResultT]") -> ResultT:
    try:
        return loop.run_until_complete(task)
    finally:
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()
