"""Many recordings, a few at a time: what became of each, in the order in which they end."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Any, Generic, TypeVar

from common.errors import (
    ConfigurationError,
    EndpointAuthError,
    EndpointNotFoundError,
    InvalidInputError,
    ParleyError,
    UnknownFieldError,
)

DEFAULT_CONCURRENCY = 4
MET_BY_ALL = {kind.code for kind in (ConfigurationError, EndpointAuthError, EndpointNotFoundError, UnknownFieldError)}

ItemT = TypeVar("ItemT")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome(Generic[ItemT]):
    """What became of one recording: its result, or its error; neither where it was not begun."""

    audio: ItemT
    result: dict[str, Any] | None = None
    error: ParleyError | None = None


async def outcomes(
    items: Iterable[ItemT], call: Callable[[ItemT], Awaitable[dict[str, Any]]], *, concurrency: int
) -> AsyncGenerator[Outcome[ItemT], None]:
    """Yield the outcome of `call` for each of `items`, `concurrency` of them at a time.

    After an error that all would meet, no further call is begun. Leaving the iteration cancels those that run. Raises
    InvalidInputError for a concurrency below one.
    """
    if concurrency < 1:
        raise InvalidInputError("concurrency must be a whole number above zero", param="concurrency")
    waiting, in_vain = iter(items), False
    running: set[asyncio.Task[Outcome[ItemT]]] = set()
    try:
        while True:
            begun = islice(waiting, 0 if in_vain else concurrency - len(running))
            running |= {asyncio.create_task(_outcome(item, call)) for item in begun}
            if not running:
                break
            ended, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for outcome in [task.result() for task in ended]:
                in_vain = in_vain or _met_by_all(outcome.error)
                yield outcome
        for item in waiting:
            yield Outcome(audio=item)
    finally:
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running)


async def _outcome(item: ItemT, call: Callable[[ItemT], Awaitable[dict[str, Any]]]) -> Outcome[ItemT]:
    try:
        return Outcome(audio=item, result=await call(item))
    except ParleyError as error:
        return Outcome(audio=item, error=error)


def _met_by_all(error: ParleyError | None) -> bool:
    return error is not None and error.envelope()["code"] in MET_BY_ALL
