"""What happens to jobs, told to whoever listens: how far they are, what was found so far, how they ended."""

import asyncio
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

LISTENER_EVENTS = 64  # one that is slower is not told of all changes, but always of the last


@dataclass(frozen=True, slots=True)
class Event:
    """`status`, `partial` with its data, or the end of a job: `completed`, `failed`, `cancelled`."""

    name: str
    data: Mapping[str, Any] = field(default_factory=dict)


class Events:
    """The listeners of the jobs that run in this process; used by its event loop alone."""

    def __init__(self) -> None:
        self._listeners: defaultdict[str, set[asyncio.Queue[Event]]] = defaultdict(set)
        self._partials: defaultdict[str, dict[str, Event]] = defaultdict(dict)

    def tell(self, job_id: str, event: Event) -> None:
        """Tell all listeners; the newest partial result of each kind is also told to those who come later."""
        if event.name == "partial":
            self._partials[job_id][str(event.data.get("kind"))] = event
        for queue in self._listeners.get(job_id, ()):
            if queue.full():
                queue.get_nowait()
            queue.put_nowait(event)

    def forget(self, job_id: str) -> None:
        """Drop the partial results of a job that has ended."""
        self._partials.pop(job_id, None)

    @contextmanager
    def listening(self, job_id: str) -> Iterator["asyncio.Queue[Event]"]:
        """Yield a queue of what happens from now on; it begins with the partial results that there are."""
        queue: asyncio.Queue[Event] = asyncio.Queue(LISTENER_EVENTS)
        for event in self._partials.get(job_id, {}).values():
            queue.put_nowait(event)
        self._listeners[job_id].add(queue)
        try:
            yield queue
        finally:
            self._listeners[job_id].discard(queue)
            if not self._listeners[job_id]:
                del self._listeners[job_id]
