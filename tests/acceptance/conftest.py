"""One local platform with the three real workers and the bundled models, for all acceptance tests."""

import functools
import http.server
import os
import re
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
import pytest
import requests
import soundfile as sf

from orchestrator.demo import sample_folder

START_TIMEOUT_S = 240
STOP_TIMEOUT_S = 30


@dataclass
class Stack:
    """A running `parley up`: how it is reached, and its processes."""

    process: subprocess.Popen
    env: dict[str, str]

    def url(self, endpoint, path):
        return f"{self.env['RUNPOD_BASE_URL']}/{self.env[f'{endpoint.upper()}_ENDPOINT_ID']}/{path}"

    @property
    def headers(self):
        return {"Authorization": f"Bearer {self.env['RUNPOD_API_KEY']}"}

    def post(self, endpoint, path, payload=None, *, timeout=120):
        return requests.post(self.url(endpoint, path), json=payload, headers=self.headers, timeout=timeout)

    def get(self, endpoint, path):
        return requests.get(self.url(endpoint, path), headers=self.headers, timeout=10).json()

    def wait_status(self, endpoint, job_id, states, *, timeout_s=120):
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            status = self.get(endpoint, f"status/{job_id}")
            if status["status"] in states:
                return status
            time.sleep(0.1)
        raise AssertionError(f"job still {status['status']} after {timeout_s} s")

    def wait_jobs(self, endpoint, *, in_progress, timeout_s):
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            if self.get(endpoint, "health")["jobs"]["inProgress"] == in_progress:
                return
            time.sleep(0.05)
        raise AssertionError(f"{endpoint} has not {in_progress} jobs in progress after {timeout_s} s")

    def worker_process(self, endpoint):
        return min(self._worker_processes(endpoint), key=lambda process: process.create_time())

    def worker_groups(self, endpoint):
        """The process groups of the endpoint's workers; each has the worker and the SDK's heartbeat."""
        return {os.getpgid(process.pid) for process in self._worker_processes(endpoint)}

    def _worker_processes(self, endpoint):
        module = {"orchestrator": "orchestrator.handler"}.get(endpoint, f"handlers.{endpoint}.handler")
        found = psutil.Process(self.process.pid).children(recursive=True)
        return [process for process in found if module in _command_line(process)]

    def parley(self, *arguments, timeout=300):
        return subprocess.run(
            [sys.executable, "-m", "orchestrator.cli", *map(str, arguments)],
            env={**os.environ, **self.env},
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )


def _command_line(process):
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:  # it has ended meanwhile
        return []


@pytest.fixture(scope="session")
def stack(tmp_path_factory):
    logs = tmp_path_factory.mktemp("logs")
    env = {**os.environ, "PARLEY_PROFILE": "laptop", "PARLEY_LOGS": str(logs)}
    command = [sys.executable, "-m", "orchestrator.cli", "up", "--port", "0"]
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True) as process:
        watchdog = threading.Timer(START_TIMEOUT_S, process.kill)
        watchdog.start()
        exports = dict(re.fullmatch(r"export (\w+)=(.*)\n", process.stdout.readline()).groups() for _ in range(5))
        watchdog.cancel()
        yield Stack(process, {"PARLEY_PROFILE": "laptop", **exports})
        workers = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGTERM)
        assert process.wait(STOP_TIMEOUT_S) == 130
    assert not psutil.wait_procs(workers, timeout=5)[1], "workers outlive the platform"


@dataclass
class Served:
    """A running `parley serve`: where it is, and its process."""

    url: str
    process: subprocess.Popen


@pytest.fixture(scope="session")
def served(tmp_path_factory):
    """The web server with the bundled models, as a user on a laptop starts it."""
    pytest.importorskip("fastapi")
    folder = tmp_path_factory.mktemp("served")
    env = {
        **{name: value for name, value in os.environ.items() if not name.endswith("_ENDPOINT_ID")},
        "DATA_FOLDER": str(folder),
        "PARLEY_LOGS": str(folder / "logs"),
        "PARLEY_PROFILE": "laptop",
    }
    command = [sys.executable, "-m", "orchestrator.cli", "serve", "--port", "0"]
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True) as process:
        watchdog = threading.Timer(START_TIMEOUT_S, process.kill)
        watchdog.start()
        url = re.fullmatch(r"Parley is at (\S+)\n", process.stdout.readline())[1]
        watchdog.cancel()
        yield Served(url, process)
        workers = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGTERM)
        assert process.wait(STOP_TIMEOUT_S) == 130
    assert not psutil.wait_procs(workers, timeout=5)[1], "workers outlive the server"


class _QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture(scope="session")
def web_folder(tmp_path_factory):
    """A folder, and the loopback URL under which its files are served."""
    folder = tmp_path_factory.mktemp("web")
    handler = functools.partial(_QuietHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield folder, f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="session")
def sample():
    return sample_folder() / "sample.wav"


@pytest.fixture(scope="session")
def sample_url(web_folder, sample):
    folder, url = web_folder
    (folder / "sample.wav").write_bytes(Path(sample).read_bytes())
    return f"{url}/sample.wav"


@pytest.fixture(scope="session")
def tiled_url(web_folder, sample):
    """A function from how often the half minute of the sample is repeated to the URL of that recording."""
    folder, url = web_folder

    def url_of(times):
        name = f"tiled-{times}.flac"
        sf.write(folder / name, np.tile(sf.read(sample, dtype="float32")[0], times), 16_000)
        return f"{url}/{name}"

    return url_of


@pytest.fixture(scope="session")
def minutes_url(tiled_url):
    """Two minutes: each model is at work on them long enough to be found there."""
    return tiled_url(4)


@pytest.fixture(scope="session")
def clip_url(web_folder, sample):
    """Fourteen seconds of the sample, two speakers and the word Chicago among them."""
    folder, url = web_folder
    sf.write(folder / "clip.flac", sf.read(sample, dtype="float32")[0][5 * 16_000 : 19 * 16_000], 16_000)
    return f"{url}/clip.flac"
