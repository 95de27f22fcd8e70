"""Prometheus metrics of one worker process, without a global: `main()` makes one object and passes it on."""

from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, start_http_server

from common.errors import ConfigurationError, ParleyError
from common.gpu_metrics import GpuCollector

OK = "ok"
OTHER = "other"
BUCKETS_S = (
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    5.0,
    10.0,
    30.0,
    60.0,
    120.0,
    300.0,
    600.0,
    1800.0,
    3600.0,
    7200.0,
    14400.0,
)
# Off unless METRICS_PORT is set. A worker lives in a container, where nobody reaches its loopback and publishing the
# port is a decision of its own; there is nothing in the metrics but counts, seconds and bytes.
ADDRESS = "0.0.0.0"  # noqa: S104 - see above


class JobMetrics:
    """What is counted of the jobs of one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.registry.register(GpuCollector())
        worker, endpoint = ["worker"], ["endpoint"]
        self._jobs = self._counter(
            "parley_jobs", "Jobs that ended: ok, or the code of their error", [*worker, "outcome"]
        )
        self._audio = self._counter("parley_audio_seconds", "Seconds of audio that went through the models", worker)
        self._running = Gauge("parley_jobs_in_progress", "Jobs being worked on", worker, registry=self.registry)
        self._execution = self._histogram("parley_job_execution_seconds", "From a job's arrival to its answer", worker)
        self._cold_start = self._histogram(
            "parley_cold_start_seconds", "From a process's start to its first job", worker
        )
        self._child_queue = self._histogram("parley_child_queue_seconds", "Queueing of child jobs, by RunPod", endpoint)
        self._child_execution = self._histogram(
            "parley_child_execution_seconds", "Execution of child jobs, by RunPod", endpoint
        )

    def process_ready(self, *, worker: str, cold_start_s: float) -> None:
        """Count the start of a process that is about to take its first job."""
        self._cold_start.labels(worker).observe(cold_start_s)

    def job_started(self, *, worker: str) -> None:
        """Count a job as in progress until `job_ended`."""
        self._running.labels(worker).inc()

    def job_ended(self, *, worker: str, code: str, execution_s: float) -> None:
        """Count a job that `job_started` counted; `code` is "ok" or that of its error."""
        self._running.labels(worker).dec()
        self._jobs.labels(worker, outcome(code)).inc()
        self._execution.labels(worker).observe(execution_s)

    def audio_processed(self, *, worker: str, audio_s: float) -> None:
        """Count audio that a model has read to its end."""
        self._audio.labels(worker).inc(audio_s)

    def child_ended(self, *, endpoint: str, queue_s: float, execution_s: float) -> None:
        """Count the times of a job that the orchestrator gave to an endpoint."""
        self._child_queue.labels(endpoint).observe(queue_s)
        self._child_execution.labels(endpoint).observe(execution_s)

    def _counter(self, name: str, help_text: str, labels: list[str]) -> Counter:
        return Counter(name, help_text, labels, registry=self.registry)

    def _histogram(self, name: str, help_text: str, labels: list[str]) -> Histogram:
        return Histogram(name, help_text, labels, buckets=BUCKETS_S, registry=self.registry)


def outcome(code: str) -> str:
    """Return `code` if it is Parley's own, else "other": what a foreign worker says must not make new series."""
    return code if code == OK or code in KNOWN_CODES else OTHER


@contextmanager
def serve_metrics(metrics: JobMetrics, *, port: int) -> Iterator[int]:
    """Serve `/metrics` from a thread; yields the port, of which 0 asks for any.

    Raises ConfigurationError when the port cannot be had.
    """
    try:
        server, thread = start_http_server(port, ADDRESS, metrics.registry)
    except OSError:
        raise ConfigurationError(
            f"METRICS_PORT {port} cannot be had; give each worker of one machine another", param="METRICS_PORT"
        ) from None
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _codes(kind: type[ParleyError]) -> Iterator[str]:
    yield kind.code
    for below in kind.__subclasses__():
        yield from _codes(below)


KNOWN_CODES = frozenset(_codes(ParleyError))
