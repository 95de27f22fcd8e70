"""Waiting until something changes."""

import asyncio


class Bell:
    """Wakes everybody who waits at this moment; it has no memory, so look at the state before waiting."""

    def __init__(self) -> None:
        self._waiting: set[asyncio.Future[None]] = set()

    def ring(self) -> None:
        """Wake all."""
        for waiter in self._waiting:
            if not waiter.done():
                waiter.set_result(None)

    async def wait(self, timeout_s: float) -> bool:
        """Return True when rung, False after `timeout_s` seconds."""
        if timeout_s <= 0:
            return False
        waiter = asyncio.get_running_loop().create_future()
        self._waiting.add(waiter)
        try:
            done, _ = await asyncio.wait([waiter], timeout=timeout_s)
        finally:
            self._waiting.discard(waiter)
        return bool(done)
