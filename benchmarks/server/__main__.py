"""`python -m benchmarks.server`: the web server while ten recordings are sent at once, and around it.

A real `parley serve` with the bundled models gets ten recordings at once; meanwhile a client for each asks how far it
is, others read what is done. Then come a large upload and, if there is a browser, a transcript of three hours.
DATA=folder: other recordings than pyannote.audio's sample; QUICK=1 takes about a minute. The clients are processes of
their own, but share the cores with the models and the server. The last line of the output is JSON.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.orchestrator.judging import percentile
from benchmarks.server import judging
from benchmarks.server.long_transcript import stored
from benchmarks.server.page import Scrolled, scrolled
from benchmarks.server.recordings import recordings
from benchmarks.server.serving import Server, cores, served
from benchmarks.server.watching import Growth, LoadWatch, settled

COUNT = 10
MEGABYTE = 10**6
CLIENTS_S = 1800.0
ROUTES = ("status", "result", "srt", "health", "upload")


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much is done: seconds of a recording, of asking before the crowd, of scrolling; bytes of the upload."""

    recording_s: float
    idle_s: float
    scroll_s: float
    upload_bytes: int


FULL = Size(recording_s=30.0, idle_s=10.0, scroll_s=6.0, upload_bytes=500 * MEGABYTE)
QUICK = Size(recording_s=6.0, idle_s=2.0, scroll_s=2.0, upload_bytes=100 * MEGABYTE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Crowded:
    """What the clients saw before and while ten recordings were done, and the load on the machine."""

    idle: Mapping[str, Any]
    seen: Mapping[str, Any]
    load: LoadWatch
    took_s: float
    server_cpu_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Uploaded:
    """The bytes of a large recording, how long they took, and by how much the server's memory grew meanwhile."""

    size_bytes: int
    seconds: float
    peak_bytes: int


def document(crowded: Crowded, uploaded: Uploaded, page: Scrolled | str) -> dict[str, Any]:
    """Return what the JSON line says."""
    seconds, seen = crowded.seen["seconds"], crowded.seen
    own = crowded.load.mean_own
    return {
        "status_p95_ms": _ms(percentile(seconds["status"], 95)),
        "result_p95_ms": _ms(percentile(seconds.get("result", ()), 95)),
        "upload_peak_mb": round(uploaded.peak_bytes / MEGABYTE, 1),
        "done": sum(job["status"] == "completed" for job in seen["jobs"]),
        "max_running": judging.max_running(seen),
        "in_order": not (judging.out_of_order(seen["jobs"]) or judging.moved_back(seen["places"])),
        "load_average": round(crowded.load.highest, 2),
        "own_threads_wanting_a_core": own and round(own, 2),
        "cores": cores(),
        "status_idle_p95_ms": _ms(percentile(crowded.idle["seconds"]["status"], 95)),
        "job_overhead_s": round(percentile(judging.overheads_s(seen["jobs"], seen["timings"]), 50), 2),
        "upload_mb_per_s": round(uploaded.size_bytes / MEGABYTE / uploaded.seconds),
        "scroll_fps": round(page.fps, 1) if isinstance(page, Scrolled) else None,
    }


def crowd(server: Server, folder: Path, size: Size) -> Crowded:
    """Send ten recordings at once, after one that warms the models up and is asked for while nothing else goes on."""
    first, sent = folder / "first", folder / "sent"
    made = recordings(_data(), count=COUNT + 1, seconds=size.recording_s)
    for where, contents in ((first, made[:1]), (sent, made[1:])):
        where.mkdir()
        for number, content in enumerate(contents):
            (where / f"{number:02}.flac").write_bytes(content)
    warmed = clients("crowd", server.url, str(first))
    idle = clients("idle", server.url, warmed["jobs"][0]["job_id"], str(size.idle_s))
    cpu_s, started = server.cpu_s, time.monotonic()
    with LoadWatch(server.pid) as load:
        seen = clients("crowd", server.url, str(sent))
    took_s, cpu_s = time.monotonic() - started, server.cpu_s - cpu_s
    return Crowded(idle=idle, seen=seen, load=load, took_s=took_s, server_cpu_s=cpu_s)


def upload(server: Server, size_bytes: int) -> Uploaded:
    """Send a large recording, which is erased when it is there."""
    settled(server.pid)
    growth = Growth(server.pid)
    seen = clients("upload", server.url, str(size_bytes))
    settled(server.pid)
    if seen["refused"]:
        raise RuntimeError(f"the server refused: {', '.join(seen['refused'])}")
    return Uploaded(size_bytes=size_bytes, seconds=seen["seconds"], peak_bytes=growth.peak_bytes())


def clients(*arguments: str) -> dict[str, Any]:
    """Run clients in a process of their own and return what they saw."""
    command = [sys.executable, "-m", "benchmarks.server.clients", *arguments]
    said = subprocess.run(command, stdout=subprocess.PIPE, timeout=CLIENTS_S, check=True).stdout
    seen: dict[str, Any] = json.loads(said)
    return seen


def tell_crowded(crowded: Crowded) -> None:
    """Print times by route, what became of the recordings, the load."""
    seconds, idle = crowded.seen["seconds"], crowded.idle["seconds"]
    print(judging.HEADER)
    for route in ROUTES:
        print(judging.route_line(route, seconds.get(route, ()), idle.get(route, ())))
    print(*judging.job_lines(crowded.seen), sep="\n")
    load, events = crowded.load, crowded.seen["events"]
    print(f"load average {load.highest:.2f}, on {cores()} cores, which models, server, clients and all else share")
    if load.mean_wanting is not None and load.mean_own is not None:
        print(
            f"{load.mean_wanting:.2f} threads wanted a core on average, {load.mean_own:.2f} of them the server's and "
            f"its workers'; the server itself took {crowded.server_cpu_s / crowded.took_s:.0%} of a core"
        )
    print(f"refused: {crowded.seen['refused'] or 'nothing'}; one job told of itself {len(events)} times", flush=True)


def tell_page(uploaded: Uploaded, page: Scrolled | str) -> None:
    """Print what the upload took and how the page scrolls."""
    megabytes = uploaded.size_bytes / MEGABYTE
    print(
        f"upload of {megabytes:.0f} MB: {megabytes / uploaded.seconds:.0f} MB/s, "
        f"the server's memory grew by {uploaded.peak_bytes / MEGABYTE:.1f} MB"
    )
    if isinstance(page, str):
        print(f"the page was not looked at: {page}")
        return
    print(
        f"3 h, 36,000 words: there after {page.shown_s:.1f} s, scrolled {page.px:.0f} of {page.height:.0f} px at "
        f"{page.fps:.1f} frames/s, the longest took {page.longest_ms:.0f} ms; {page.rows} segments on the page"
    )


def _data() -> Path | None:
    given = os.environ.get("DATA")
    return Path(given) if given else None


def _ms(seconds: float) -> float:
    return round(1000 * seconds, 1)


def main(environment: Mapping[str, str]) -> None:
    """Print the tables, then one line of JSON."""
    size = QUICK if environment.get("QUICK", "").strip("0") else FULL
    with tempfile.TemporaryDirectory(prefix="parley-bench-") as name:
        folder = Path(name)
        data_folder = folder / "data"
        data_folder.mkdir()
        long_job = stored(data_folder)
        with served(data_folder, environment) as server:
            print(f"the models were loaded after {server.ready_s:.0f} s", flush=True)
            crowded = crowd(server, folder, size)
            tell_crowded(crowded)
            uploaded = upload(server, size.upload_bytes)
            page = scrolled(server.url, long_job, seconds=size.scroll_s)
            tell_page(uploaded, page)
    print(json.dumps(document(crowded, uploaded, page), allow_nan=False))


if __name__ == "__main__":
    main(os.environ)
