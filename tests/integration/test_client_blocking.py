import asyncio
import signal
import sys
import threading

import pytest

from common.errors import ConfigurationError, EndpointError, JobCancelledError
from orchestrator.client import Parley
from tests.support.quick_platform import quick_platform


async def in_thread(call, *arguments):
    """Call what blocks beside the platform's loop, without a thread pool that asyncio waits for."""
    return await asyncio.wait_for(asyncio.to_thread(call, *arguments), 20)


async def test_a_job_has_progress_a_result_and_an_end():
    async with quick_platform() as quick:

        def use():
            with Parley(quick.settings()) as parley:
                job = parley.submit(b"wait")
                told = job.stream()
                first = next(told)
                before = job.done()
                quick.platform_loop.call_soon_threadsafe(quick.release.set)
                rest = list(told)
                again = parley.job(job.id).result()
                return first, before, rest, job.result() == again, job.done(), again["text"]

        quick.platform_loop = asyncio.get_running_loop()
        first, before, rest, same, done, text = await in_thread(use)
    assert (first, before, rest) == ({"stage": "decoding", "progress": 0.5}, False, [])
    assert (same, done, text) == (True, True, "Heard wait.")


async def test_a_job_is_cancelled_and_errors_are_raised():
    async with quick_platform() as quick:

        def use():
            parley = Parley(quick.settings(), deadline_s=60)
            job = parley.submit(b"wait")
            job.cancel()
            with pytest.raises(JobCancelledError):
                job.result()
            with pytest.raises(EndpointError, match="this is not audio"):
                parley.transcribe(b"bad")
            parley.close()
            with pytest.raises(ConfigurationError, match="this client was closed"):
                job.result()
            assert parley.health()["orchestrator"].jobs_in_progress == 0  # works again
            parley.close()

        await in_thread(use)
        assert await quick.states("orchestrator") == ["CANCELLED", "FAILED"]
    assert not [thread for thread in threading.enumerate() if thread.name == "parley"]


async def test_a_job_keeps_the_thread_of_a_client_that_nobody_holds():
    async with quick_platform() as quick:

        def use():
            return Parley(quick.settings(orchestrator=False)).submit(b"a").result()["text"]

        assert await in_thread(use) == "Hello there. Hi."
    assert not [thread for thread in threading.enumerate() if thread.name == "parley"]


async def test_many_recordings_are_yielded_as_they_end():
    async with quick_platform() as quick:
        loop = asyncio.get_running_loop()

        def use():
            audios = [b"wait", b"bad", b"b"]
            texts = []
            with Parley(quick.settings()) as parley:
                for outcome in parley.transcribe_many(audios, concurrency=2):
                    texts.append((outcome.audio, outcome.result["text"] if outcome.result else str(outcome.error)))
                    if len(texts) == 2:
                        loop.call_soon_threadsafe(quick.release.set)
            return texts

        assert await in_thread(use) == [(b"bad", "this is not audio"), (b"b", "Heard b."), (b"wait", "Heard wait.")]


async def test_a_callback_that_asks_the_client_does_not_hang(caplog):
    async with quick_platform() as quick:
        loop = asyncio.get_running_loop()

        def use():
            with Parley(quick.settings()) as parley:

                def ask(progress):
                    loop.call_soon_threadsafe(quick.release.set)
                    parley.health()

                return parley.transcribe(b"wait", on_progress=ask)["text"]

        assert await in_thread(use) == "Heard wait."
    assert "a callback of this client cannot wait for the client" in caplog.text


async def test_many_recordings_that_are_left_lying_warn_of_nothing():
    async with quick_platform() as quick:

        def use():
            with Parley(quick.settings()) as parley:
                many = parley.transcribe_many([b"a", b"wait"], concurrency=2)
                assert next(many).result["text"] == "Heard a."
            many.close()

        await in_thread(use)
        assert sorted(await quick.states("orchestrator")) == ["CANCELLED", "COMPLETED"]


async def test_leaving_many_recordings_stops_what_runs():
    async with quick_platform() as quick:

        def use():
            with Parley(quick.settings()) as parley:
                many = parley.transcribe_many([b"a", b"wait", b"wait too", b"never"], concurrency=3)
                assert next(many).result["text"] == "Heard a."
                many.close()

        await in_thread(use)
        states = dict(zip(map(str, quick.inputs["orchestrator"]), await quick.states("orchestrator"), strict=True))
    assert sorted(states.values()) == ["CANCELLED", "CANCELLED", "COMPLETED"]


SCRIPT = """
import sys
from common.settings import load_settings
from orchestrator.client import Parley

parley = Parley()
try:
    if sys.argv[1] == "transcribe":
        parley.transcribe(b"wait")
    elif sys.argv[1] == "job":
        parley.submit(b"wait").result(on_progress=lambda _: print("told", flush=True))
    else:
        parley.submit(b"wait")
except KeyboardInterrupt:
    print("interrupted")
"""


@pytest.mark.parametrize(
    ("what", "orchestrator", "state"),
    [
        ("transcribe", False, "CANCELLED"),
        ("job", True, "CANCELLED"),
        ("submit", True, "IN_PROGRESS"),
        ("submit", False, "CANCELLED"),
    ],
)
async def test_ctrl_c_and_the_end_of_the_process_leave_nothing_behind(what, orchestrator, state):
    endpoint = "orchestrator" if orchestrator else "transcription"
    async with quick_platform() as quick:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-W", "error", "-X", "dev", "-c", SCRIPT, what,
            env=quick.env(orchestrator=orchestrator), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        if what == "job":
            assert await process.stdout.readline() == b"told\n"
        if what != "submit":
            await quick.until_given(endpoint, 1)
            process.send_signal(signal.SIGINT)
        out, err = await asyncio.wait_for(process.communicate(), 15)
        assert err.decode() == ""
        assert out.decode().endswith("" if what == "submit" else "interrupted\n")
        assert (await quick.states(endpoint) or ["CANCELLED"]) == [state]
