"""Telling a caller's URL that its job has ended."""

import asyncio
import logging
from typing import Any

import aiohttp

from common.logs import log_event

logger = logging.getLogger(__name__)


class WebhookSender:
    """Posts final job states; a call that does not end in 2xx is repeated after each of `pauses_s` seconds."""

    def __init__(self, *, pauses_s: tuple[float, ...], timeout_s: float) -> None:
        self._pauses_s = pauses_s
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)
        self._session: aiohttp.ClientSession | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def send(self, url: str, body: dict[str, Any]) -> None:
        """Post `body` to `url` in the background."""
        task = asyncio.create_task(self._send(url, body))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def stop(self) -> None:
        """Give up on whatever is still to be sent."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    async def _send(self, url: str, body: dict[str, Any]) -> None:
        for attempt, pause_s in enumerate((*self._pauses_s, None), start=1):
            if await self._post(url, body):
                log_event(logger, "webhook_sent", job_id=body["id"], attempt=attempt)
                return
            log_event(logger, "webhook_failed", job_id=body["id"], attempt=attempt)
            if pause_s is not None:
                await asyncio.sleep(pause_s)

    async def _post(self, url: str, body: dict[str, Any]) -> bool:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=self._timeout)
        try:
            async with self._session.post(url, json=body) as response:
                return response.ok and response.status < 300
        except (aiohttp.ClientError, TimeoutError):
            return False
