"""An event loop in a thread of its own, for callers that are not async or have a loop of their own running."""

import asyncio
import contextlib
import functools
import threading
import weakref
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any, TypeVar

from common.errors import ConfigurationError, JobCancelledError

ResultT = TypeVar("ResultT")
CTRL_C_CHECK_S = 0.2


class Inbox:
    """What comes into a loop from other threads: all of it before the loop is stopped, or none."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.stopping = asyncio.Event()
        self.loop = loop
        self._lock = threading.Lock()
        self._closed = False

    def put(self, call: Callable[[], None]) -> bool:
        """Have `call` called in the loop; False if that is being stopped."""
        with self._lock:
            if not self._closed:
                self.loop.call_soon_threadsafe(call)
            return not self._closed

    async def close(self) -> None:
        """Take nothing more, and wait until what was taken is called."""
        with self._lock:
            self._closed = True
        await asyncio.sleep(0)


class LoopThread:
    """Runs coroutines beside the caller's code until `stop`, which awaits `at_end` first.

    It is stopped by itself when nobody refers to it any more, and at the end of the process.
    """

    def __init__(self, at_end: Callable[[], Awaitable[None]]) -> None:
        inbox: Future[Inbox] = Future()
        self._thread = threading.Thread(target=lambda: asyncio.run(_served(inbox, at_end)), name="parley", daemon=True)
        self._thread.start()
        self._inbox = inbox.result()
        self.stop = weakref.finalize(self, _stop, self._thread, self._inbox)
        _OPEN.add(self)
        _stop_all_at_exit()

    def run(self, work: Coroutine[Any, Any, ResultT]) -> ResultT:
        """Return the result of `work`; Ctrl-C cancels it and lets it clean up, a second one leaves it alone."""
        if threading.current_thread() is self._thread:
            work.close()
            raise ConfigurationError("a callback of this client cannot wait for the client; note what it is told only")
        done: Future[ResultT] = Future()
        tasks: list[asyncio.Task[ResultT]] = []

        def begin() -> None:
            tasks.append(self._inbox.loop.create_task(work))
            tasks[0].add_done_callback(lambda task: _pass_on(task, done))

        def break_off() -> None:
            tasks[0].cancel()

        if not self._inbox.put(begin):
            work.close()
            raise ConfigurationError("this client was closed; what it had running can be asked of a new one only")
        try:
            _wait_for(done)
        except KeyboardInterrupt:
            self._inbox.put(break_off)  # after `begin`; a loop that is being stopped breaks all off
            with contextlib.suppress(KeyboardInterrupt):
                _wait_for(done)
            raise
        return done.result()


_OPEN: weakref.WeakSet[LoopThread] = weakref.WeakSet()


@functools.cache
def _stop_all_at_exit() -> None:
    """Stop what is open when the process ends, while pools of threads still work, on which aiohttp depends.

    These register when they are imported, above, and what was registered last is called first; `atexit` comes later.
    """

    def stop_all() -> None:
        for open_thread in tuple(_OPEN):
            open_thread.stop()

    threading._register_atexit(stop_all)  # type: ignore[attr-defined]  # noqa: SLF001 - as concurrent.futures does it


async def _served(made: "Future[Inbox]", at_end: Callable[[], Awaitable[None]]) -> None:
    loop = asyncio.get_running_loop()
    loop.set_default_executor(ThreadPoolExecutor(thread_name_prefix="parley"))
    inbox = Inbox(loop)
    made.set_result(inbox)
    await inbox.stopping.wait()
    await inbox.close()
    await at_end()  # asyncio.run cancels what is left then


def _stop(thread: threading.Thread, inbox: Inbox) -> None:
    inbox.loop.call_soon_threadsafe(inbox.stopping.set)
    if threading.current_thread() is not thread:  # the garbage collector may call this anywhere
        thread.join()


def _wait_for(done: "Future[ResultT]") -> None:
    while not done.done():  # Ctrl-C may reach another thread of the process, which wakes nobody
        wait([done], timeout=CTRL_C_CHECK_S)


def _pass_on(task: "asyncio.Task[ResultT]", done: "Future[ResultT]") -> None:
    if task.cancelled():
        done.set_exception(JobCancelledError("the call was broken off"))
    elif error := task.exception():
        done.set_exception(error)
    else:
        done.set_result(task.result())
