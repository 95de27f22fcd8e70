"""Work on results: those of long recordings in a thread, those of short ones at once, as a thread takes longer."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, ParamSpec, TypeVar

from common.answer import Heard

SMALL = 250  # words and turns; the merge of so many takes about 2 ms

P = ParamSpec("P")
R = TypeVar("R")


async def off_loop(items: int, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Return `work(…)` on so many words and turns, without keeping other jobs of this process waiting."""
    if items <= SMALL:
        return work(*args, **kwargs)
    return await asyncio.to_thread(work, *args, **kwargs)


def items_of(*found: Heard | Mapping[str, Any] | object) -> int:
    """Return how many words, segments and turns results have, whatever a worker has returned as such."""
    return sum(map(_items, found))


def _items(found: object) -> int:
    if isinstance(found, Heard):
        return len(found.words)
    if isinstance(found, Mapping):
        lists = (found.get(key) for key in ("words", "segments", "exclusive_segments"))
        return sum(len(given) for given in lists if isinstance(given, list))
    return 0
