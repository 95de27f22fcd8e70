"""A real `parley serve` with the bundled models, in processes of its own."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import requests

START_S, STOP_S = 300.0, 30.0
NOT_OURS = re.compile(r".*_ENDPOINT_ID|SERVER_.*|DATABASE_URL|STORAGE_URL|QUEUE_URL|CORS_ORIGINS|LOG_FILE")
NO_LIMIT = "1000000/minute"  # ten clients on one address ask more often than one person may


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """Where it is, its process, and how long it took until its workers were ready, in seconds."""

    url: str
    pid: int
    ready_s: float

    @property
    def cpu_s(self) -> float:
        """The processor time that the server itself has taken, without its workers."""
        times = psutil.Process(self.pid).cpu_times()
        return float(times.user + times.system)


@contextmanager
def served(data_folder: Path, environment: Mapping[str, str]) -> Iterator[Server]:
    """Start a server and yield it once its workers take jobs; its words go to `server.txt` in the folder."""
    env = {name: value for name, value in environment.items() if not NOT_OURS.fullmatch(name)}
    env |= {"DATA_FOLDER": str(data_folder), "PARLEY_LOGS": str(data_folder / "logs"), "PARLEY_PROFILE": "laptop"}
    env |= {"RATE_LIMIT": NO_LIMIT, "UPLOAD_RATE_LIMIT": NO_LIMIT}
    command = [sys.executable, "-m", "orchestrator.cli", "serve", "--port", "0"]
    started = time.monotonic()
    with (
        (data_folder / "server.txt").open("w") as said,
        subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=said, text=True) as process,
    ):
        try:
            url = _address(process, said.name)
            _wait_ready(url, process, said.name)
            yield Server(url=url, pid=process.pid, ready_s=time.monotonic() - started)
        finally:
            _stop(process)


def _address(process: "subprocess.Popen[str]", said: str) -> str:
    assert process.stdout is not None
    watchdog = threading.Timer(START_S, process.kill)
    watchdog.start()
    found = re.fullmatch(r"Parley is at (\S+)\n", process.stdout.readline())
    watchdog.cancel()
    if found is None:
        raise RuntimeError(f"the server did not start:\n{Path(said).read_text()[-2000:]}")
    return found[1]


def _wait_ready(url: str, process: "subprocess.Popen[str]", said: str) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and process.poll() is None:
        if requests.get(f"{url}/health", timeout=30).json()["workers"].get("state") != "starting":
            return
        time.sleep(0.2)
    raise RuntimeError(f"the workers did not start:\n{Path(said).read_text()[-2000:]}")


def _stop(process: "subprocess.Popen[str]") -> None:
    if process.poll() is not None:
        return
    children = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
    for child in psutil.wait_procs(children, timeout=5)[1]:
        child.kill()


def cores() -> int:
    """Return on how many cores this process, and what it starts, may run."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
