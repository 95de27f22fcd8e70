"""Writes that must not be lost because the database restarts."""

import asyncio
import logging
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from common.errors import StorageError
from common.logs import log_event
from common.retries import backoffs

PATIENCE_S = 60.0

logger = logging.getLogger(__name__)

P = ParamSpec("P")
R = TypeVar("R")


class StoreCalls:
    """Calls of the store that are tried again for a while where the database does not answer."""

    def __init__(self, *, patience_s: float = PATIENCE_S) -> None:
        self._patience_s = patience_s

    async def keep_trying(self, call: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Return `call(…)`, made in a thread; raises StorageError when the database does not answer for long."""
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + self._patience_s
        for pause_s in backoffs():
            try:
                return await asyncio.to_thread(call, *args, **kwargs)
            except StorageError:
                if loop.time() + pause_s > give_up_at:
                    raise
                log_event(logger, "database_retry")
            await asyncio.sleep(pause_s)
        raise AssertionError  # the backoffs never end
