"""Prometheus metrics of the local platform: what each endpoint has done, and how it stands at this moment."""

from collections.abc import Iterator, Mapping

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from common.metrics import BUCKETS_S
from orchestrator.local.jobs import Job
from orchestrator.local.ledger import JobLedger


class PlatformMetrics:
    """Counters of everything that ends, and gauges read from the queues when somebody asks."""

    def __init__(self, queues: Mapping[str, JobLedger]) -> None:
        self.registry = CollectorRegistry()
        self.registry.register(_QueueCollector(queues))
        endpoint = ["endpoint"]
        self._ended = Counter(
            "parley_platform_jobs", "Jobs by their final state", [*endpoint, "state"], registry=self.registry
        )
        self._queue = Histogram(
            "parley_platform_job_queue_seconds",
            "From submission to the worker",
            endpoint,
            buckets=BUCKETS_S,
            registry=self.registry,
        )
        self._execution = Histogram(
            "parley_platform_job_execution_seconds",
            "From the worker to the end",
            endpoint,
            buckets=BUCKETS_S,
            registry=self.registry,
        )
        self._starts = Counter(
            "parley_platform_worker_starts", "Worker processes started", endpoint, registry=self.registry
        )
        self._exits = Counter(
            "parley_platform_worker_exits", "Worker processes that ended", endpoint, registry=self.registry
        )

    def job_ended(self, endpoint_id: str, job: Job) -> None:
        """Count a job that has reached its final state, and its times as callers are told them."""
        self._ended.labels(endpoint_id, job.state.value).inc()
        if job.started_at is not None and job.finished_at is not None:
            self._queue.labels(endpoint_id).observe(job.started_at - job.queued_at)
            self._execution.labels(endpoint_id).observe(job.finished_at - job.started_at)

    def worker_started(self, endpoint_id: str) -> None:
        """Count a worker process; those beyond the endpoint's workers are restarts."""
        self._starts.labels(endpoint_id).inc()

    def worker_gone(self, endpoint_id: str) -> None:
        """Count the end of a worker process."""
        self._exits.labels(endpoint_id).inc()

    async def page(self, _: web.Request) -> web.Response:
        """Answer `GET /metrics`. No key is asked for: the platform listens on loopback only, and it is only counts."""
        return web.Response(body=generate_latest(self.registry), headers={"Content-Type": CONTENT_TYPE_LATEST})


class _QueueCollector(Collector):
    """The queues as they are when asked, by what `/health` tells of them."""

    def __init__(self, queues: Mapping[str, JobLedger]) -> None:
        self._queues = queues

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Ask all queues now."""
        waiting = GaugeMetricFamily("parley_platform_jobs_in_queue", "Jobs that wait", labels=["endpoint"])
        running = GaugeMetricFamily("parley_platform_jobs_in_progress", "Jobs at a worker", labels=["endpoint"])
        workers = GaugeMetricFamily("parley_platform_workers", "Workers by state", labels=["endpoint", "state"])
        for endpoint_id, queue in self._queues.items():
            health = queue.health()
            waiting.add_metric([endpoint_id], health["jobs"]["inQueue"])
            running.add_metric([endpoint_id], health["jobs"]["inProgress"])
            for state in ("idle", "running", "initializing", "unhealthy"):
                workers.add_metric([endpoint_id, state], health["workers"][state])
        yield from (waiting, running, workers)
