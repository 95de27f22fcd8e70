"""A server killed at any write of its state: the next one ends every job once, and leaves no file that is no one's."""

import multiprocessing
import signal
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import wait

import pytest

from orchestrator.server.store.database import open_database
from tests.support.job_stores import DATABASES, migrated_database
from tests.support.kill_trials import JOURNAL, PRELOADED, STUCK, WORK, Kill, Place, first_life, live, second_life

AT_ONCE, LIFE_S = 2, 90
ONE_AT_A_TIME = threading.Lock()  # a process's exit code can be read once, and each start reads those of all others
TIMES = {
    "secret": (1,), "add": (1, 6), "claim": (1, 3), "renew": (1,), "hold": (3,), "report": (1, 4), "complete": (1, 2),
    "fail": (1,), "give_back": (1, 2), "cancelled": (1,), "cancel": (1,), "erase": (1,), "erased": (1,),
    "expired": (1,), "reclaim": (1,), "save_edits": (2,), "without_audio": (1,),
    "put": (5,), "put_bytes": (1, 4), "delete": (1,),
}  # fmt: skip
EVENTS = ("accepted", "ended", "cancelled", "erased", "edited", "expiring")
EXPECTED = {"good": "completed", "retried": "completed", "twin": "completed", "slow": "completed", "bad": "failed"}


def kills():
    for call, occurrences in TIMES.items():
        for occurrence in occurrences:
            for moment in ("before", "after"):
                yield Kill(call, occurrence, moment)


def lived(context, life, *args):
    """Run a life to its end, and return its exit code."""
    process = context.Process(target=live, args=(life, *args))
    with ONE_AT_A_TIME:
        process.start()
    stuck = not wait([process.sentinel], LIFE_S)
    if stuck:
        process.kill()
        wait([process.sentinel])
    with ONE_AT_A_TIME:
        process.join()
        return STUCK if stuck else process.exitcode


def snapshot(place):
    """Return all jobs that are not erased, by their ids."""
    engine = open_database(place.url)
    try:
        return {job.id: job for job in place.store(engine).page("anna", limit=100).jobs}
    finally:
        engine.dispose()


def untrue(place, kill, between):
    """Return what the first life was told and the database does not have."""
    told = {name: [line for line in place.lines(JOURNAL) if line["event"] == name] for name in EVENTS}
    gone = {line["id"] for line in told["erased"]}
    unwanted = kill.call in {"erase", "expired"} or told["expiring"]  # erased, though nobody had the answer
    for line in told["accepted"]:
        if line["id"] not in between and line["id"] not in gone and not unwanted:
            yield f"lost: {line}"
    yield from (f"still there: {job_id}" for job_id in gone & between.keys())
    for line in told["ended"]:
        job = between.get(line["id"])
        if job is not None and (job.state, job.result) != (line["state"], line["result"]):
            yield f"ended twice: {line}, {job}"
    for line in told["cancelled"]:
        job = between.get(line["id"])
        if job is not None and not (job.cancel_requested or job.state == "cancelled"):
            yield f"not cancelled: {job}"
    for line in told["edited"]:
        job = between.get(line["id"])
        if job is not None and job.edits_version < line["version"]:
            yield f"edits lost: {line}"


def unfinished(between, after):
    """Return which jobs of the first life the second one did not bring to their right end."""
    if between.keys() != after.keys():
        yield f"lost or made up: {between.keys() ^ after.keys()}"
    for before, job in ((between[job_id], job) for job_id, job in after.items()):
        ended = (job.state, job.result, job.edits, job.edits_version)
        if before.is_final:
            if ended != (before.state, before.result, before.edits, before.edits_version):
                yield f"changed after its end: {before}, {job}"
        elif job.state != ("cancelled" if before.cancel_requested else EXPECTED[job.filename]):
            yield f"stuck or with another end: {job}"


def doubled(place, between):
    """Return which jobs were run again, though they had ended, or more often than they had to be."""
    filenames = {line["id"]: line["filename"] for line in place.lines(JOURNAL) if line["event"] == "sent"}
    runs = Counter((line["id"], line["life"], line["event"]) for line in place.lines(WORK))
    for (job_id, life, event), times in runs.items():
        job = between.get(job_id)
        if life == 2 and (job is None or job.is_final):
            yield f"run again after its end: {job_id}"
        if times > (2 if filenames[job_id] == "retried" and event == "begin" else 1):
            yield f"{event} {times} times in life {life}: {job_id}"


def misplaced(place, after):
    """Return which files are nobody's, and which are missing."""
    named = {name for job in after.values() for name in (job.audio, job.result, job.peaks, job.edits) if name}
    root = place.folder / "files"
    stored = {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}
    yield from (f"nobody's or missing: {name}" for name in named ^ stored)
    results = [job.result for job in after.values() if job.state == "completed"]
    if len(set(results)) != len(results) or None in results:
        yield f"not one result for each: {results}"
    if not place.keep_audio and any(name.startswith("audio/") for name in stored):
        yield "a recording was kept"


def trial(context, database, folder, kill):
    """Return what is wrong after a server was killed so, and another one went on."""
    folder.mkdir()
    with migrated_database(database, folder) as url:
        place = Place(url, folder, keep_audio=kill.call != "without_audio")
        ended = lived(context, first_life, place, kill)
        between = snapshot(place)
        went_on = lived(context, second_life, place)
        after = snapshot(place)
        found = [f"the first life ended with {ended}"] if ended != -signal.SIGKILL else []
        found += [f"the second life ended with {went_on}"] if went_on != 0 else []
        found += [*untrue(place, kill, between), *unfinished(between, after)]
        return kill, [*found, *doubled(place, between), *misplaced(place, after)]


@pytest.mark.parametrize("database", DATABASES)
def test_no_job_is_lost_doubled_or_stuck(database, tmp_path):
    with migrated_database(database, tmp_path):
        pass  # the template of all trials is made once, by this thread
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    trials = list(kills())
    assert len(trials) >= 50
    with ThreadPoolExecutor(AT_ONCE) as workers:
        running = [
            workers.submit(trial, context, database, tmp_path / str(number), kill) for number, kill in enumerate(trials)
        ]
        results = [future.result() for future in running]
    wrong = [f"{kill}: {complaint}" for kill, complaints in results for complaint in complaints]
    assert not wrong, "\n".join(wrong)
