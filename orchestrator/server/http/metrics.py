"""Prometheus metrics of the web server: its requests by route, its jobs by state, the process and the GPUs."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from common.gpu_metrics import GpuCollector
from orchestrator.server.store.job_store import JobStore

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"})
BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0, 300.0, 1800.0)


class ServerMetrics:
    """What is counted in this process, and the store's jobs as they are when somebody asks."""

    def __init__(self, store: JobStore) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._registry.register(GpuCollector())
        self._registry.register(_JobCollector(store))
        self._requests = Counter(
            "parley_server_requests",
            "Answers by route and status",
            ["method", "route", "status"],
            registry=self._registry,
        )
        self._seconds = Histogram(
            "parley_server_request_seconds",
            "From a request's headers to the end of its answer",
            ["route"],
            buckets=BUCKETS_S,
            registry=self._registry,
        )

    def request_ended(self, *, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request; `route` is a template, so that there are only so many series."""
        self._requests.labels(method if method in METHODS else "other", route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def page(self) -> bytes:
        """Return everything in Prometheus' text format; blocks."""
        return generate_latest(self._registry)


class _JobCollector(Collector):
    """All servers' jobs, which share the database."""

    def __init__(self, store: JobStore) -> None:
        self._store = store

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Name the metric without asking the store."""
        yield _jobs()

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Ask the store now."""
        jobs = _jobs()
        for state, count in self._store.counts().items():
            jobs.add_metric([state], count)
        yield jobs


def _jobs() -> GaugeMetricFamily:
    return GaugeMetricFamily("parley_server_jobs", "Jobs by state; queued ones wait", labels=["state"])
