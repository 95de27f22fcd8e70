"""The runner over a real store and real files: jobs run, one at a time, and end in one state, whatever happens."""

import asyncio
import contextlib
import json
import time

import numpy as np
import pytest
import soundfile as sf

from common.errors import DeadlineExceededError, EndpointUnreachableError, InvalidInputError, JobNotFoundError
from common.settings import load_settings
from orchestrator.server import runner as runner_module
from orchestrator.server.jobs import NewJob
from orchestrator.server.runner import Runner
from orchestrator.server.settings import load_server_settings
from orchestrator.server.store.database import migrate, open_database
from orchestrator.server.store.files import open_files
from orchestrator.server.store.job_store import JobStore
from orchestrator.server.work import new_name
from tests.support.toy_backend import ToyBackend

UNREACHABLE = EndpointUnreachableError("it does not answer", endpoint="transcription")


class Bench:
    """A store, its files, and runners over them."""

    def __init__(self, folder, **env):
        self.server = load_server_settings({"DATA_FOLDER": str(folder), **env})
        self.engine = open_database(self.server.database_url)
        migrate(self.engine)
        self.store = JobStore(
            self.engine,
            lease_s=self.server.job_lease_s,
            max_queued=100,
            max_queued_per_owner=100,
            max_attempts=self.server.job_attempts,
        )
        self.files = open_files(self.server.storage_url, load_settings({}).storage)
        self.folder = folder
        self.count = 0

    def runner(self, backend, **changes):
        return Runner(self.store, self.files, backend, settings=load_settings({}), server=self.server)

    def job(self, *, content=None, owner="local", **changes):
        """Store half a second of noise of its own, or `content`, and a job for it."""
        self.count += 1
        path = self.folder / f"upload-{self.count}.wav"
        noise = np.random.default_rng(self.count).uniform(-0.5, 0.5, 8_000)
        sf.write(path, noise if content is None else content, 16_000)
        job_id = f"{self.count:032x}"
        name = new_name("audio", job_id)
        self.files.put(path, name)
        new = NewJob(
            **{
                "id": job_id, "owner": owner, "kind": "transcription", "filename": "noise.wav", "fields": {},
                "request_id": f"r-{self.count}", "audio": name, "audio_bytes": 16_044,
                "audio_sha256": f"{self.count if content is None else 0}", **changes,
            }
        )  # fmt: skip
        return self.store.add(new)


@pytest.fixture
def bench(tmp_path):
    made = Bench(tmp_path, JOB_LEASE_SECONDS="1", JOB_ATTEMPTS="2")
    yield made
    made.engine.dispose()


@pytest.fixture
def quick_retries(monkeypatch):
    monkeypatch.setattr(runner_module, "RETRY_PAUSE_S", 0.01)
    monkeypatch.setattr(runner_module, "LOOK_S", 0.05)


@contextlib.asynccontextmanager
async def running(bench, backend):
    runner = bench.runner(backend)
    await runner.start()
    try:
        yield runner
    finally:
        await runner.close()


async def until(condition, *, timeout_s=10):
    async with asyncio.timeout(timeout_s):
        while not condition():
            await asyncio.sleep(0.01)


def result_of(bench, job):
    with bench.files.open(job.result) as file:
        return json.load(file)


async def test_a_job_is_carried_out_and_its_result_and_peaks_are_stored(bench):
    job, backend = bench.job(), ToyBackend()
    async with running(bench, backend) as runner, asyncio.timeout(10):
        ended = await runner.ended(job.id)
    assert (ended.state, ended.step, ended.progress, ended.attempts) == ("completed", "complete", 1.0, 1)
    result = result_of(bench, ended)
    assert (result["full_text"], result["job_id"], result["success"]) == ("Hello there. Hi.", job.id, True)
    assert ended.duration_s == 3.0
    with bench.files.open(ended.peaks) as file:
        peaks = json.load(file)
    assert (peaks["duration"], len(peaks["peaks"])) == (0.5, 25)


async def test_listeners_hear_of_the_way_there(bench):
    job, backend = bench.job(), ToyBackend()
    backend.going.clear()
    async with running(bench, backend) as runner, asyncio.timeout(10):
        heard = []
        async for event in runner.subscribe(job.id):
            heard.append((event.name, event.data.get("kind")))
            if ("partial", "words") in heard:
                backend.going.set()
    assert heard[0] == ("status", None)
    assert heard[-1] == ("completed", None)
    assert {("partial", "speakers"), ("partial", "words")} <= set(heard)


async def test_so_many_run_at_a_time_and_the_others_in_order(bench):
    backend = ToyBackend()
    jobs = [bench.job() for _ in range(5)]
    async with running(bench, backend) as runner, asyncio.timeout(20):
        ended = [await runner.ended(job.id) for job in jobs]
    assert [job.state for job in ended] == ["completed"] * 5
    assert backend.most_running == 1
    assert sorted(ended, key=lambda job: job.started_at) == ended


async def test_the_same_question_is_not_computed_again_but_another_ones_is(bench):
    backend, silence = ToyBackend(), np.zeros(8_000)
    first, again, other_fields, other_owner = (
        bench.job(content=silence),
        bench.job(content=silence, filename="again.wav"),
        bench.job(content=silence, fields={"num_speakers": 2}),
        bench.job(content=silence, owner="somebody"),
    )
    async with running(bench, backend) as runner, asyncio.timeout(20):
        ended = [await runner.ended(job.id) for job in (first, again, other_fields, other_owner)]
    assert [job.cached for job in ended] == [False, True, False, False]
    assert set(backend.begun) == {first.id, other_fields.id, other_owner.id}
    result = result_of(bench, ended[1])
    assert (result["job_id"], result["filename"], result["cached"]) == (again.id, "again.wav", True)
    assert result["full_text"] == "Hello there. Hi."
    assert ended[1].peaks not in {None, ended[0].peaks}


async def test_what_may_work_another_time_is_tried_again_and_what_cannot_fails_at_once(bench, quick_retries):
    backend = ToyBackend(failures=[UNREACHABLE, InvalidInputError("no such language", param="language")])
    first = bench.job()
    async with running(bench, backend) as runner, asyncio.timeout(20):
        failed = await runner.ended(first.id)
        second = bench.job()
        runner.wake()
        backend.failures.append(UNREACHABLE)
        completed = await runner.ended(second.id)
    assert (failed.state, failed.attempts, failed.error["code"]) == ("failed", 2, "invalid_input")
    assert failed.error["param"] == "language"
    assert (completed.state, completed.attempts) == ("completed", 2)


@pytest.mark.parametrize("error", [DeadlineExceededError("too late"), ValueError("a bug, with /secret/path in it")])
async def test_what_took_too_long_or_crashed_is_not_begun_again(bench, quick_retries, error):
    job, backend = bench.job(), ToyBackend(failures=[error])
    async with running(bench, backend) as runner, asyncio.timeout(20):
        ended = await runner.ended(job.id)
    code = "deadline_exceeded" if isinstance(error, DeadlineExceededError) else "internal_error"
    assert (ended.state, ended.attempts, ended.error["code"]) == ("failed", 1, code)
    assert "secret" not in str(ended.error)


async def test_attempts_are_limited(bench, quick_retries):
    job, backend = bench.job(), ToyBackend(failures=[UNREACHABLE] * 5)
    async with running(bench, backend) as runner, asyncio.timeout(20):
        ended = await runner.ended(job.id)
    assert (ended.state, ended.attempts, ended.error["code"]) == ("failed", 2, "endpoint_unreachable")


async def test_cancelling_stops_the_work_and_the_next_job_runs(bench):
    job, backend = bench.job(), ToyBackend()
    backend.going.clear()
    async with running(bench, backend) as runner, asyncio.timeout(20):
        await until(lambda: backend.running == 1)
        bench.store.cancel(job.id, owner="local")
        runner.stop(job.id)
        ended = await runner.ended(job.id)
        assert (ended.state, backend.running) == ("cancelled", 0)
        backend.going.set()
        after = bench.job()
        runner.wake()
        assert (await runner.ended(after.id)).state == "completed"


async def test_erasing_stops_the_work_and_leaves_nothing(bench):
    job, backend = bench.job(), ToyBackend()
    backend.going.clear()
    async with running(bench, backend) as runner, asyncio.timeout(20):
        await until(lambda: backend.running == 1)
        bench.store.erase(job.id, owner="local")
        runner.stop(job.id)
        with pytest.raises(JobNotFoundError):
            await runner.ended(job.id)
        await until(lambda: backend.running == 0)
        await runner._sweep()
    assert [path for path in (bench.folder / "files").rglob("*") if path.is_file()] == []


async def test_a_closing_runner_gives_its_jobs_back_and_that_counts_as_no_attempt(bench):
    job, backend = bench.job(), ToyBackend()
    backend.going.clear()
    async with running(bench, backend):
        await until(lambda: backend.running == 1)
    given_back = bench.store.get(job.id)
    assert (given_back.state, given_back.attempts, given_back.runner) == ("queued", 0, None)
    backend.going.set()
    async with running(bench, backend) as runner, asyncio.timeout(20):
        assert (await runner.ended(job.id)).attempts == 1


async def test_the_job_of_a_runner_that_died_is_taken_up_by_another(bench):
    job, backend = bench.job(), ToyBackend()
    assert bench.store.claim("a runner that died").id == job.id
    async with running(bench, backend) as runner, asyncio.timeout(20):
        ended = await runner.ended(job.id)
    assert (ended.state, ended.attempts) == ("completed", 2)


async def test_a_runner_whose_job_was_taken_away_stops_and_stores_nothing(bench):
    job, backend = bench.job(), ToyBackend()
    backend.going.clear()
    async with running(bench, backend) as runner, asyncio.timeout(20):
        await until(lambda: backend.running == 1)
        bench.store.give_back(job.id, runner=runner.name, not_before=time.time() + 100)
        await until(lambda: backend.running == 0)
    assert (bench.store.get(job.id).state, backend.ended.total()) == ("queued", 0)


async def test_words_of_an_earlier_result_are_handed_on(bench):
    first, backend = bench.job(), ToyBackend()
    async with running(bench, backend) as runner, asyncio.timeout(20):
        done = await runner.ended(first.id)
        second = bench.job(earlier=done.result, audio=done.audio, fields={"num_speakers": 3})
        runner.wake()
        assert (await runner.ended(second.id)).state == "completed"
    assert backend.earlier[first.id] is None
    assert backend.earlier[second.id]["full_text"] == "Hello there. Hi."


async def test_recordings_are_erased_at_the_end_where_they_are_not_to_be_kept(tmp_path):
    bench = Bench(tmp_path, KEEP_AUDIO="0")
    jobs, backend = [bench.job(), bench.job()], ToyBackend(failures=[InvalidInputError("no")])
    async with running(bench, backend) as runner, asyncio.timeout(20):
        ended = [await runner.ended(job.id) for job in jobs]
        await until(lambda: all(bench.store.get(job.id).audio is None for job in jobs))
    assert [job.state for job in ended] == ["failed", "completed"]
    assert not [path for path in (tmp_path / "files" / "audio").rglob("*") if path.is_file()]
    bench.engine.dispose()


async def test_a_recording_is_fetched_where_only_its_address_is_known(bench, monkeypatch):
    job, backend = (
        bench.job(audio=None, audio_sha256=None, audio_bytes=None, audio_url="http://127.0.0.1:9/a.wav"),
        ToyBackend(),
    )
    async with running(bench, backend) as runner, asyncio.timeout(20):
        ended = await runner.ended(job.id)
    assert (ended.state, ended.error["code"], backend.begun.total()) == ("failed", "bad_audio_url", 0)


async def test_how_long_it_will_take_is_told_by_its_own_pace_or_that_of_others(bench):
    runner = bench.runner(ToyBackend())
    job = bench.job()
    assert runner.eta_s(job, 1) is None
    runner._seconds.extend([10.0, 20.0])
    assert runner.eta_s(job, 2) == 45.0
    claimed = bench.store.claim(runner.name)
    assert runner.eta_s(claimed) is None


async def test_as_many_jobs_run_as_there_are_pairs_of_workers(bench, monkeypatch):
    monkeypatch.setattr(runner_module, "COUNT_S", 0.05)
    backend = ToyBackend()
    backend.going.clear()
    up = {"diarization": 2, "transcription": 3}

    async def health():
        return {kind: {"workers_ready": 1, "workers_running": count - 1} for kind, count in up.items()}

    backend.health = health
    for _ in range(5):
        bench.job()
    async with running(bench, backend):
        await until(lambda: backend.running == 2)
        up["diarization"] = 4  # one more machine
        await until(lambda: backend.running == 3)
        await asyncio.sleep(0.2)
        assert backend.most_running == 3
