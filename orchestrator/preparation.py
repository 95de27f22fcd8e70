"""What is done with local recordings before a job is submitted: in a thread, within the deadline, ended at once."""

import asyncio
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from common.checks import Check
from common.errors import DeadlineExceededError, JobCancelledError

ResultT = TypeVar("ResultT")


async def prepared(
    work: Callable[[Check], ResultT], *, deadline_s: float | None = None, granted_s: float | None = None
) -> ResultT:
    """Return what `work` returns, which runs in a thread and calls its check at every small step.

    The check raises once this is cancelled or late, so that the thread ends soon after. Raises DeadlineExceededError
    after `deadline_s` seconds, which names `granted_s`, of which these are what is left, where it is given.
    """
    late = partial(late_preparation, granted_s or deadline_s)
    broken_off = threading.Event()
    until = None if deadline_s is None else time.monotonic() + deadline_s

    def check() -> None:
        if broken_off.is_set():
            raise JobCancelledError("the job ended while its recording was prepared")
        if until is not None and time.monotonic() > until:
            raise late()

    try:
        async with asyncio.timeout(deadline_s):
            return await asyncio.to_thread(work, check)
    except TimeoutError:
        raise late() from None
    finally:
        broken_off.set()


def late_preparation(deadline_s: float | None) -> DeadlineExceededError:
    """Return the error of a recording that took too long before anything was submitted."""
    return DeadlineExceededError(
        f"the recording was not prepared within {deadline_s:.3g} s; raise the deadline (JOB_DEADLINE_SECONDS), or put "
        "the recording where it has an http(s) URL and pass that"
    )
