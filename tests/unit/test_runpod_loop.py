"""What happens around the SDK's loop, with a stand-in of the SDK."""

import sys
import urllib.request
from types import ModuleType, SimpleNamespace

import pytest

from common.metrics import JobMetrics, serve_metrics
from common.runpod_loop import serve
from common.settings import ReportSettings
from tests.support.metric_lines import samples_in


async def handler(job):
    return {}


@pytest.fixture
def loop(monkeypatch):
    """The arguments of every start of the loop; `loop.during` is called while it runs."""
    sdk, started = ModuleType("runpod"), SimpleNamespace(calls=[], during=lambda: None)

    def start(config):
        started.calls.append(config)
        started.during()

    sdk.serverless = SimpleNamespace(start=start)
    monkeypatch.setitem(sys.modules, "runpod", sdk)
    monkeypatch.setenv("RUNPOD_LOG_LEVEL", "INFO")
    return started


def test_the_loop_gets_the_handler_and_how_many_jobs_it_takes(loop):
    serve(handler, concurrency=3)
    (config,) = loop.calls
    assert config["handler"] is handler
    assert config["concurrency_modifier"](1) == 3


def test_the_process_is_ready_right_before_the_loop(loop):
    seen = []
    loop.during = lambda: seen.append("loop")
    serve(handler, on_ready=lambda: seen.append("ready"))
    assert seen == ["ready", "loop"]


def test_metrics_are_served_while_the_loop_runs(loop, unused_tcp_port):
    metrics, pages = JobMetrics(), []
    metrics.audio_processed(worker="combined", audio_s=2.0)
    address = f"http://127.0.0.1:{unused_tcp_port}/metrics"

    def read():
        with urllib.request.urlopen(address, timeout=5) as answer:
            pages.append(answer.read().decode())

    loop.during = read
    serve(handler, reports=ReportSettings(metrics_port=unused_tcp_port), metrics=metrics)
    assert samples_in(pages[0])["parley_audio_seconds_total", "combined"] == 2.0
    with pytest.raises(OSError, match="refused"):
        read()


def test_a_metrics_port_that_is_taken_ends_the_process_with_one_line(loop, capsys):
    with serve_metrics(JobMetrics(), port=0) as port, pytest.raises(SystemExit) as caught:
        serve(handler, reports=ReportSettings(metrics_port=port), metrics=JobMetrics())
    assert caught.value.code == 78
    assert capsys.readouterr().err.startswith(f"PARLEY-FATAL METRICS_PORT {port} cannot be had")
    assert loop.calls == []
