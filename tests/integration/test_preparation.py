"""A recording is prepared within the deadline of its job, and no longer than anybody wants it."""

import asyncio
import json
import os
import signal
import sys
import threading
import time

import numpy as np
import pytest
import soundfile

from common.audio.decode import decode_audio
from common.audio.encode import encode_opus_within
from common.audio.limits import SAMPLE_RATE, AudioLimits
from common.errors import DeadlineExceededError, InvalidInputError, JobCancelledError
from orchestrator import client_async, client_work
from orchestrator.cli_batch_lock import LOCK_NAME
from orchestrator.cli_batch_state import STATE_NAME
from orchestrator.client import AsyncParley
from orchestrator.client_call import fingerprint
from orchestrator.endpoints import RunPodEndpoint
from tests.support.quick_platform import quick_platform


class StopError(Exception):
    pass


class Calls:
    """A check that stops the work at its third call."""

    def __init__(self):
        self.count = 0

    def __call__(self):
        self.count += 1
        if self.count == 3:
            raise StopError


class Endless:
    """Work in a thread that ends when its check tells it to, or too late."""

    def __init__(self):
        self.begun, self.ended = threading.Event(), threading.Event()
        self.error = None

    def __call__(self, audio, fields, *, check=lambda: None, **_):
        self.begun.set()
        try:
            for _ in range(400):
                check()
                time.sleep(0.01)
        except (DeadlineExceededError, JobCancelledError) as error:
            self.error = error
            raise
        finally:
            self.ended.set()
        return {"audio": "https://example.org/a.wav"}


@pytest.fixture
def endless(monkeypatch):
    work = Endless()
    monkeypatch.setattr(client_work, "with_recordings", work)
    return work


def noise(seconds):
    return np.random.default_rng(0).normal(0, 0.1, round(seconds * SAMPLE_RATE)).astype(np.float32)


def test_decoding_encoding_and_hashing_end_when_they_are_told_to(tmp_path):
    soundfile.write(tmp_path / "a.wav", noise(40), SAMPLE_RATE)
    works = [
        lambda check: decode_audio(tmp_path / "a.wav", limits=AudioLimits(), check=check),
        lambda check: encode_opus_within(noise(40), limit_bytes=100_000, check=check),
        lambda check: fingerprint(b"x" * 4_000_000, {}, check=check),
    ]
    for work in works:
        with pytest.raises(StopError):
            work(Calls())


@pytest.mark.parametrize("orchestrator", [True, False])
@pytest.mark.parametrize("method", ["transcribe", "diarize"])
async def test_the_deadline_covers_it_and_nothing_is_submitted(endless, orchestrator, method):
    async with quick_platform() as quick, AsyncParley(quick.settings(orchestrator=orchestrator)) as parley:
        started = time.monotonic()
        with pytest.raises(DeadlineExceededError, match=r"the recording was not prepared within 0\.2 s; raise"):
            await getattr(parley, method)(b"a", deadline_s=0.2)
        assert time.monotonic() - started < 1.5
        assert await asyncio.to_thread(endless.ended.wait, 2)
        assert endless.error is not None
        assert list(quick.ids.values()) == [[], [], []]


async def test_hashing_counts_too(monkeypatch):
    monkeypatch.setattr(client_async, "fingerprint", Endless())
    async with quick_platform() as quick, AsyncParley(quick.settings()) as parley:
        with pytest.raises(DeadlineExceededError, match=r"not prepared within 0\.2 s"):
            await parley.transcribe(b"a", deadline_s=0.2, idempotency_key="k")


async def test_diarizing_has_what_is_left_of_the_deadline(monkeypatch):
    given = []

    async def run(self, job_input, *, deadline_s, on_progress, options):
        given.append(deadline_s)
        raise DeadlineExceededError("enough")

    def slow(audio, fields, **_):
        time.sleep(0.2)
        return {"audio": "https://example.org/a.wav"}

    monkeypatch.setattr(client_work, "with_recordings", slow)
    monkeypatch.setattr(RunPodEndpoint, "run", run)
    async with quick_platform() as quick, AsyncParley(quick.settings()) as parley:
        with pytest.raises(DeadlineExceededError, match="enough"):
            await parley.diarize(b"a", deadline_s=5.0)
    assert 3.0 < given[0] <= 4.8


@pytest.mark.parametrize("key", [None, "k"])
async def test_a_cancelled_call_ends_it(monkeypatch, endless, key):
    if key:
        monkeypatch.setattr(client_async, "fingerprint", endless)
    async with quick_platform() as quick, AsyncParley(quick.settings()) as parley:
        call = asyncio.create_task(parley.transcribe(b"a", idempotency_key=key))
        await asyncio.to_thread(endless.begun.wait, 5)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert await asyncio.to_thread(endless.ended.wait, 2)
        assert str(endless.error) == "the job ended while its recording was prepared"


def test_a_pipe_is_not_emptied_for_its_hash(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InvalidInputError, match="is a pipe, which can be read only once"):
        fingerprint(tmp_path / "pipe", {})


COMMAND = """
import sys
from orchestrator import cli, upload

encode = upload.encode_opus_within

def told(*arguments, **options):
    print("encoding", flush=True)
    return encode(*arguments, **options)

upload.encode_opus_within = told
sys.exit(cli.main(sys.argv[1:]))
"""


async def started(*arguments):
    ids = {"RUNPOD_BASE_URL": "http://127.0.0.1:9/v2", "RUNPOD_API_KEY": "k", "ORCHESTRATOR_ENDPOINT_ID": "o"}
    return await asyncio.create_subprocess_exec(
        sys.executable, "-W", "error", "-c", COMMAND, *map(str, arguments),
        env={**os.environ, **ids, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip


async def interrupted(process):
    """Return for how many seconds a command goes on after Ctrl-C."""
    before = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, err = await asyncio.wait_for(process.communicate(), 60)
    assert (process.returncode, err.decode()) == (130, "interrupted\n")
    return time.monotonic() - before


async def test_ctrl_c_ends_a_command_that_encodes(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.tile(noise(60), 20), SAMPLE_RATE)
    process = await started("transcribe", tmp_path / "a.wav")
    assert await asyncio.wait_for(process.stdout.readline(), 20) == b"encoding\n"
    assert await interrupted(process) < 2


async def test_ctrl_c_ends_a_batch_that_hashes(tmp_path):
    recording, out = tmp_path / "a.wav", tmp_path / "out"
    out.mkdir()
    (out / "a.txt").touch()
    with recording.open("wb") as file:
        file.truncate(40 << 30)  # takes no room, but long to read
    state = {"version": 1, "results": {"a.txt": {"source": str(recording.resolve()), "key": "k"}}}
    (out / STATE_NAME).write_text(json.dumps(state))
    process = await started("batch", recording, "-o", out)
    async with asyncio.timeout(20):
        while not (out / LOCK_NAME).exists():
            await asyncio.sleep(0.01)
    assert await interrupted(process) < 2
