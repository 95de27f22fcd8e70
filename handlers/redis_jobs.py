"""What a worker does with the jobs of its queue in Redis: takes one, holds it, ends it or gives it back."""

import asyncio
import json
import math
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from common import redis_scripts
from common.redis_queue import (
    QueueNames,
    QueueRules,
    iso_now,
    sweep_arguments,
)

if TYPE_CHECKING:
    from redis import Redis


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A job that this worker holds; `execution` is what it holds it by, `timeout_s` how long it may run."""

    job_id: str
    execution: str
    data: bytes
    timeout_s: float
    attempt: int


class QueueJobs:
    """The jobs of one kind as one worker sees them. Blocks; any thread may call. Raises redis.RedisError."""

    def __init__(self, client: "Redis", *, kind: str, worker: str, rules: QueueRules) -> None:
        self.rules = rules
        self._client = client
        self._names = QueueNames(kind)
        self._worker = worker
        self._claim = client.register_script(redis_scripts.CLAIM)
        self._renew = client.register_script(redis_scripts.RENEW)
        self._progress = client.register_script(redis_scripts.PROGRESS)
        self._finish = client.register_script(redis_scripts.FINISH)
        self._give_back = client.register_script(redis_scripts.GIVE_BACK)
        self._sweep = client.register_script(redis_scripts.SWEEP)

    def take(self) -> str | None:
        """Return the id of the next job, waiting a moment for one; it is nobody's until it is claimed."""
        _, queue, intermediate, *_ = self._names.keys()
        taken: Any = self._client.blmove(queue, intermediate, self.rules.block_s)  # type: ignore[arg-type]  # fractions are fine
        return taken.decode() if taken is not None else None

    def put_back(self, job_id: str) -> None:
        """Leave a job that was taken to the others."""
        _, queue, intermediate, *_ = self._names.keys()
        with self._client.pipeline() as pipe:
            pipe.lrem(intermediate, 0, job_id)
            pipe.lpush(queue, job_id)
            pipe.execute()

    def claim(self, job_id: str) -> Claim | None:
        """Hold a job that was taken; None where there is nothing to do: it was cancelled, or is another's already."""
        execution, rules = uuid.uuid4().hex, self.rules
        arguments: list[Any] = [job_id, execution, self._worker, iso_now(), rules.lease_s, rules.result_ttl_s]
        claimed: Any = self._claim(keys=self._names.keys(job_id), args=arguments)
        if claimed is None:
            return None
        data, timeout_s, attempt = claimed
        return Claim(
            job_id=job_id,
            execution=execution,
            data=data,
            timeout_s=_timeout_s(timeout_s, default_s=rules.execution_timeout_s),
            attempt=int(attempt),
        )

    def renew(self, claim: Claim) -> str:
        """Hold a job for longer; returns `held`, `stop` where its caller does not want it any more, or `lost`."""
        arguments: list[Any] = [claim.job_id, claim.execution, iso_now(), self.rules.lease_s]
        answer: Any = self._renew(keys=self._names.keys(claim.job_id), args=arguments)
        return str(answer.decode())

    async def post_progress(self, job: dict[str, Any], progress: dict[str, Any]) -> None:
        """Publish the progress of a job that is held by its `execution`; that of any other is dropped."""
        arguments: list[Any] = [job["id"], job["execution"], json.dumps(progress)]
        await asyncio.to_thread(self._progress, keys=self._names.keys(job["id"]), args=arguments)

    def finish(self, claim: Claim, status: str, entry: Sequence[str] = ()) -> bool:
        """End a job as `finished`, `failed` or `stopped` with the `entry` of its result; False if it is lost."""
        arguments: list[Any] = [claim.job_id, claim.execution, status, iso_now(), self._ttl_s(status), *entry]
        return bool(self._finish(keys=self._names.keys(claim.job_id), args=arguments))

    def give_back(self, claim: Claim) -> bool:
        """Let another worker begin the job again, as if this one never had; False if it is lost."""
        arguments: list[Any] = [claim.job_id, claim.execution, iso_now(), self._ttl_s("stopped")]
        return bool(self._give_back(keys=self._names.keys(claim.job_id), args=arguments))

    def sweep(self) -> tuple[int, int]:
        """Queue the jobs of lost workers again; returns how many, and how many have lost too many and failed."""
        requeued, lost = self._sweep(keys=self._names.keys(), args=sweep_arguments("", self.rules))
        return int(requeued), int(lost)

    def _ttl_s(self, status: str) -> int:
        return self.rules.read_ttl_s if status == "stopped" else self.rules.result_ttl_s


def _timeout_s(text: bytes, *, default_s: float) -> float:
    timeout_s = float(text or 0)
    return timeout_s if 0 < timeout_s < math.inf else default_s
