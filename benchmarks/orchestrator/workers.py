"""Workers of the local platform in this process: many jobs at once, over real sockets, without the SDK's pauses."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from benchmarks.orchestrator.answers import Behave
from common.errors import ParleyError, runpod_error
from common.idempotency import content_digest
from orchestrator.local.platform import LocalPlatform

POST_ATTEMPTS, POST_PAUSE_S = 4, 0.05  # as often as the SDK posts a result
REPEAT_PAUSE_S = 0.02  # between polls that failed
MOST_TOLD = 100  # job ids in a ping, whose URL must not grow too long


class FastWorkers:
    """The workers of all endpoints, and what they did.

    `executed` and `inputs` count by endpoint how often each job id, and each input by its digest, was begun; `ended`
    how often a job's behaviour came to its own end; `stopped` lists the jobs ended by a stop signal; `restarts`
    counts workers that were killed and replaced.
    """

    def __init__(
        self, platform: LocalPlatform, session: aiohttp.ClientSession, *, concurrency: int, ping_s: float | None
    ) -> None:
        self.ping_s = ping_s
        self.platform = platform
        self.session = session
        self.concurrency = concurrency
        self.executed: dict[str, Counter[str]] = {}
        self.inputs: dict[str, Counter[str]] = {}
        self.ended: dict[str, Counter[str]] = {}
        self.stopped: list[tuple[str, str]] = []
        self.restarts = 0
        self._workers: set[_Worker] = set()
        self._closing = False

    @property
    def running(self) -> int:
        """How many jobs run at this moment."""
        return sum(len(worker.jobs) for worker in self._workers)

    def start(self, endpoint: str, behave: Behave) -> None:
        """Start one more worker of an endpoint."""
        for counts in (self.executed, self.inputs, self.ended):
            counts.setdefault(endpoint, Counter())
        worker = _Worker(self, endpoint, behave)
        self._workers.add(worker)
        self.platform.worker_started(endpoint, worker.id, kill=lambda: self._replace(worker))

    async def stop(self) -> None:
        """End all workers and their jobs."""
        self._closing = True
        await asyncio.gather(*(worker.end() for worker in list(self._workers)))

    def _replace(self, worker: "_Worker") -> None:
        """Let a worker die with its jobs, as a process that is killed, and start another as the supervisor does."""
        if worker.dying is not None or self._closing:
            return
        worker.dying = asyncio.ensure_future(worker.end())
        worker.dying.add_done_callback(lambda _: self._replaced(worker))

    def _replaced(self, worker: "_Worker") -> None:
        self._workers.discard(worker)
        self.platform.worker_gone(worker.endpoint, worker.id)
        if not self._closing:
            self.restarts += 1
            self.start(worker.endpoint, worker.behave)


class _Worker:
    """One worker: three loops as in the SDK, and a task for each job."""

    def __init__(self, workers: FastWorkers, endpoint: str, behave: Behave) -> None:
        self.workers = workers
        self.endpoint = endpoint
        self.behave = behave
        self.jobs: dict[asyncio.Task[None], str] = {}
        self.dying: asyncio.Future[None] | None = None
        self.id = workers.platform.new_worker_id(endpoint)
        env = workers.platform.worker_environment(endpoint, self.id)
        self._take_url = env["RUNPOD_WEBHOOK_GET_JOB"].replace("$ID", self.id)
        self._done_url = env["RUNPOD_WEBHOOK_POST_OUTPUT"].replace("$RUNPOD_POD_ID", self.id)
        self._ping_url = env["RUNPOD_WEBHOOK_PING"].replace("$RUNPOD_POD_ID", self.id)
        self._ping_s = workers.ping_s or int(env["RUNPOD_PING_INTERVAL"]) / 1000
        self._ended = asyncio.Event()
        self._loops = [asyncio.create_task(loop) for loop in (self._take(), self._stop(), self._ping())]

    async def end(self) -> None:
        """Cancel everything and wait until it has ended."""
        tasks = [*self._loops, *self.jobs]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _take(self) -> None:
        while True:
            while (free := self.workers.concurrency - len(self.jobs)) <= 0:
                self._ended.clear()
                await self._ended.wait()
            url = self._take_url.replace("/job-take/", "/job-take-batch/")
            busy = "1" if self.jobs else "0"
            for job in await self._poll(f"{url}&batch_size={free}&job_in_progress={busy}") or ():
                task = asyncio.create_task(self._work(job))
                self.jobs[task] = job["id"]
                task.add_done_callback(self._forget)

    async def _stop(self) -> None:
        while True:
            told = await self._poll(self._take_url.replace("/job-take/", "/job-stop/"))
            job_ids = set(told["jobsToStop"]) if told is not None else set()
            for task in [task for task, job_id in self.jobs.items() if job_id in job_ids]:
                self.workers.stopped.append((self.endpoint, self.jobs[task]))
                task.cancel()

    async def _ping(self) -> None:
        while True:
            told = ",".join(self.jobs.values()) if len(self.jobs) <= MOST_TOLD else ""
            await self._poll(f"{self._ping_url}&job_id={told}")
            await asyncio.sleep(self._ping_s)

    async def _poll(self, url: str) -> Any:  # noqa: ANN401 - JSON
        """Return the JSON of a 200; None for anything else, after a pause if it is no answer of the platform's."""
        try:
            async with self.workers.session.get(url) as response:
                if response.status == 200:
                    return await response.json()
                if response.status == 204:
                    return None
        except (aiohttp.ClientError, ValueError):
            pass
        await asyncio.sleep(REPEAT_PAUSE_S)
        return None

    async def _work(self, job: dict[str, Any]) -> None:
        job_id, job_input = job["id"], job["input"]
        self.workers.executed[self.endpoint][job_id] += 1
        self.workers.inputs[self.endpoint][content_digest(job_input)] += 1

        async def post_progress(progress: dict[str, Any]) -> None:
            await self._post(job_id, {"status": "IN_PROGRESS", "output": progress})

        try:
            body = {"output": await self.behave(job_id, job_input, post_progress)}
        except ParleyError as error:
            body = runpod_error(error)
        self.workers.ended[self.endpoint][job_id] += 1
        await self._post(job_id, body)

    async def _post(self, job_id: str, body: dict[str, Any]) -> None:
        url = f"{self._done_url.replace('$ID', job_id)}&isStream=false"
        for _ in range(POST_ATTEMPTS):
            with contextlib.suppress(aiohttp.ClientError):
                async with self.workers.session.post(url, json=body) as response:
                    if response.ok:
                        return
            await asyncio.sleep(POST_PAUSE_S)

    def _forget(self, task: asyncio.Task[None]) -> None:
        del self.jobs[task]
        self._ended.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            message = f"the behaviour of a {self.endpoint} worker failed"
            context = {"message": message, "exception": error, "task": task}
            asyncio.get_running_loop().call_exception_handler(context)


@asynccontextmanager
async def fast_workers(
    platform: LocalPlatform,
    behaviours: Mapping[str, Behave],
    *,
    concurrency: int = 100,
    workers_each: int = 1,
    ping_s: float | None = None,
) -> AsyncIterator[FastWorkers]:
    """Run `workers_each` workers of each endpoint, each with up to `concurrency` jobs at once; they end with the block.

    `behaviours` gives an endpoint's `behave(job_id, job_input, post_progress)`: it returns the job's output, or raises
    a ParleyError, which is posted as a worker's error. They ping every `ping_s` seconds, else as the platform says.
    """
    connector, timeout = aiohttp.TCPConnector(limit=0), aiohttp.ClientTimeout(total=None)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        workers = FastWorkers(platform, session, concurrency=concurrency, ping_s=ping_s)
        for endpoint, behave in behaviours.items():
            for _ in range(workers_each):
                workers.start(endpoint, behave)
        try:
            yield workers
        finally:
            await workers.stop()
