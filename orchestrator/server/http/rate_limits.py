"""How often one caller may ask: a moving window, counted in this process, or in Redis for several servers."""

import logging
import time
from collections.abc import Mapping

from limits import RateLimitItem, parse
from limits.errors import StorageError as CountsLostError
from limits.storage import MemoryStorage, RedisStorage
from limits.strategies import MovingWindowRateLimiter

from common.errors import ConfigurationError, RateLimitedError
from common.redis_queue import connect
from orchestrator.server.settings import RATE_LIMIT, UPLOAD_RATE_LIMIT, ServerSettings

WRONG_KEYS = "20/minute"  # of one address; a person who mistypes a key needs a few
REDIS_S = 1.0  # requests do not wait longer to be counted

logger = logging.getLogger(__name__)


class RateLimits:
    """Counts requests, new jobs and wrong keys; raises RateLimitedError for those that are too many. Thread-safe."""

    def __init__(self, server: ServerSettings) -> None:
        """Raise ConfigurationError for a limit that is none, such as `fast`, and for a QUEUE_URL that is none."""
        self._requests = _limit(server.rate_limit, RATE_LIMIT.name)
        self._new_jobs = _limit(server.upload_rate_limit, UPLOAD_RATE_LIMIT.name)
        self._wrong_keys = parse(WRONG_KEYS)
        self.block = bool(server.queue_url)  # whether they are counted elsewhere, which takes a while
        self._window = MovingWindowRateLimiter(_counts(server.queue_url))

    def count_request(self, caller: str) -> Mapping[str, str]:
        """Count a request; returns the headers that tell the caller how many are left."""
        return self._count(self._requests, "requests", caller)

    def count_new_job(self, caller: str) -> Mapping[str, str]:
        """Count a request that makes a job."""
        return self._count(self._new_jobs, "new jobs", caller)

    def count_wrong_key(self, address: str) -> None:
        """Count a key that nobody has."""
        self._count(self._wrong_keys, "wrong keys", address)

    def _count(self, limit: RateLimitItem, what: str, caller: str) -> Mapping[str, str]:
        try:
            if not self._window.hit(limit, what, caller):
                raise self._refused(limit, what, caller)
            reset_at, left = self._window.get_window_stats(limit, what, caller)
        except CountsLostError:  # without Redis there are no workers either: let the caller see what is left
            logger.warning("rate_limit_unknown")
            return {}
        reset_s = max(0, round(reset_at - time.time()))
        return {"RateLimit-Limit": str(limit.amount), "RateLimit-Remaining": str(left), "RateLimit-Reset": str(reset_s)}

    def _refused(self, limit: RateLimitItem, what: str, caller: str) -> RateLimitedError:
        wait_s = max(1.0, self._window.get_window_stats(limit, what, caller)[0] - time.time())
        return RateLimitedError(f"too many {what}, at most {limit}; wait {wait_s:.0f} s", retry_after_s=wait_s)


def _counts(queue_url: str) -> MemoryStorage | RedisStorage:
    if not queue_url:
        return MemoryStorage()
    connect(queue_url).close()  # nothing was connected; RedisStorage would find a wrong URL only when it counts
    return RedisStorage(queue_url, wrap_exceptions=True, socket_timeout=REDIS_S, socket_connect_timeout=REDIS_S)


def _limit(text: str, name: str) -> RateLimitItem:
    try:
        return parse(text)
    except ValueError:
        raise ConfigurationError(f"{name} is not valid: write it as 600/minute", param=name) from None
