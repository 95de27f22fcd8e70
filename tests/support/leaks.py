"""What code leaves behind: tasks, by who started them, resources never closed, temporary files."""

import asyncio
import gc
import tempfile
import warnings
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

OWNER: ContextVar[str] = ContextVar("owner", default="nobody")  # set by whoever wants to find the tasks again
OWN = ("/orchestrator/", "/common/")
NOT_OWN = ("/local/", "/benchmarks/", "/tests/")

_owners: "WeakKeyDictionary[asyncio.Task[Any], str]" = WeakKeyDictionary()


def note_owners() -> None:
    """Let every task of this event loop be known by the OWNER in whose context it is started."""

    def started(loop: asyncio.AbstractEventLoop, coro: Any, **options: Any) -> asyncio.Task[Any]:
        task = asyncio.Task(coro, loop=loop, **options)
        _owners[task] = OWNER.get()
        return task

    asyncio.get_running_loop().set_task_factory(started)


def own_tasks() -> list[str]:
    """Return where the tasks are that the code under test has started for this OWNER and that have not ended."""
    places = [_place(task) for task in asyncio.all_tasks() if _owners.get(task) == OWNER.get()]
    return [
        place for place in places if any(part in place for part in OWN) and not any(map(place.__contains__, NOT_OWN))
    ]


def _place(task: "asyncio.Task[Any]") -> str:
    code = getattr(task.get_coro(), "cr_code", None)
    return "" if code is None else f"{code.co_filename}:{code.co_name}"


def left_by(work: Callable[[], Awaitable[None]], *, folder: Path) -> list[str]:
    """Run `work` in an event loop of its own; return the tasks, open resources and files in `folder` that it left."""
    left: list[str] = []
    before, tempfile.tempdir = tempfile.tempdir, str(folder)
    try:
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always", ResourceWarning)
            asyncio.run(_alone(work, left))
            gc.collect()
    finally:
        tempfile.tempdir = before
    return [*left, *(str(one.message) for one in told), *(f"file {path.name}" for path in folder.iterdir())]


async def _alone(work: Callable[[], Awaitable[None]], left: list[str]) -> None:
    note_owners()
    await work()
    await asyncio.sleep(0.05)
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    left += [f"task of {_owners.get(task)}: {_place(task)}" for task in tasks]
