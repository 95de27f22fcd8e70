"""What a worker counts, as Prometheus reads it."""

import urllib.request

import pytest
from prometheus_client import generate_latest

from common.errors import ConfigurationError
from common.metrics import BUCKETS_S, KNOWN_CODES, JobMetrics, outcome, serve_metrics
from tests.support.metric_lines import samples_in, types_in


def page(metrics):
    return generate_latest(metrics.registry).decode()


def test_jobs_are_counted_by_worker_and_outcome():
    metrics = JobMetrics()
    for code in ("ok", "ok", "engine_failed", "cancelled"):
        metrics.job_started(worker="diarization")
        metrics.job_ended(worker="diarization", code=code, execution_s=2.0)
    metrics.job_started(worker="diarization")
    found = samples_in(page(metrics))
    assert found["parley_jobs_total", "ok", "diarization"] == 2
    assert found["parley_jobs_total", "engine_failed", "diarization"] == 1
    assert found["parley_jobs_total", "cancelled", "diarization"] == 1
    assert found["parley_jobs_in_progress", "diarization"] == 1
    assert found["parley_job_execution_seconds_count", "diarization"] == 4
    assert found["parley_job_execution_seconds_sum", "diarization"] == 8.0
    assert found["parley_job_execution_seconds_bucket", "1.0", "diarization"] == 0
    assert found["parley_job_execution_seconds_bucket", "2.5", "diarization"] == 4


def test_audio_cold_starts_and_child_jobs_are_counted_in_seconds():
    metrics = JobMetrics()
    metrics.audio_processed(worker="transcription", audio_s=90.5)
    metrics.audio_processed(worker="transcription", audio_s=9.5)
    metrics.process_ready(worker="transcription", cold_start_s=42.0)
    metrics.child_ended(endpoint="diarization", queue_s=7200.0, execution_s=12.0)
    found = samples_in(page(metrics))
    assert found["parley_audio_seconds_total", "transcription"] == 100.0
    assert found["parley_cold_start_seconds_count", "transcription"] == 1
    assert found["parley_cold_start_seconds_sum", "transcription"] == 42.0
    assert found["parley_child_queue_seconds_bucket", "diarization", "3600.0"] == 0
    assert found["parley_child_queue_seconds_bucket", "diarization", "7200.0"] == 1
    assert found["parley_child_execution_seconds_sum", "diarization"] == 12.0


def test_names_and_types_are_as_prometheus_wants_them():
    types = {name: kind for name, kind in types_in(page(JobMetrics())).items() if name.startswith("parley_")}
    assert types == {
        "parley_jobs": "counter",
        "parley_audio_seconds": "counter",
        "parley_jobs_in_progress": "gauge",
        "parley_job_execution_seconds": "histogram",
        "parley_cold_start_seconds": "histogram",
        "parley_child_queue_seconds": "histogram",
        "parley_child_execution_seconds": "histogram",
    }
    assert list(BUCKETS_S) == sorted(BUCKETS_S)


def test_the_process_itself_is_measured_where_the_system_tells():
    assert samples_in(page(JobMetrics()))["process_resident_memory_bytes",] > 1_000_000


def test_codes_that_foreign_workers_send_make_no_new_series():
    assert {"internal_error", "invalid_input", "device_lost", "result_expired", "cancelled"} <= KNOWN_CODES
    assert [outcome(code) for code in ("ok", "rate_limited", "user-4711", "")] == [
        "ok",
        "rate_limited",
        "other",
        "other",
    ]
    metrics = JobMetrics()
    for number in range(50):
        metrics.job_started(worker="orchestrator")
        metrics.job_ended(worker="orchestrator", code=f"code-{number}", execution_s=0.1)
    found = {key: value for key, value in samples_in(page(metrics)).items() if key[0] == "parley_jobs_total"}
    assert found == {("parley_jobs_total", "other", "orchestrator"): 50}


def test_two_workers_in_one_process_count_apart():
    one, other = JobMetrics(), JobMetrics()
    one.audio_processed(worker="combined", audio_s=5.0)
    assert ("parley_audio_seconds_total", "combined") not in samples_in(page(other))


@pytest.fixture
def served():
    metrics = JobMetrics()
    with serve_metrics(metrics, port=0) as port:
        yield metrics, port


def test_they_are_served_over_http(served):
    metrics, port = served
    metrics.audio_processed(worker="combined", audio_s=5.0)
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        assert answer.headers["Content-Type"].startswith("text/plain; version=")
        assert samples_in(answer.read().decode())["parley_audio_seconds_total", "combined"] == 5.0


def test_a_port_that_is_taken_is_a_mistake_in_the_configuration(served):
    second = serve_metrics(JobMetrics(), port=served[1])
    with pytest.raises(ConfigurationError, match=f"METRICS_PORT {served[1]} cannot be had") as caught, second:
        pytest.fail("two listen on one port")
    assert caught.value.param == "METRICS_PORT"
