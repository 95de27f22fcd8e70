import asyncio
import json
import os
import signal
import sys

import pytest

from orchestrator import cli
from orchestrator.cli_batch_state import JOURNAL_NAME, STATE_NAME
from tests.support.quick_platform import quick_platform


@pytest.fixture
async def quick(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    # signal handlers belong to the main thread, where a user's command runs
    monkeypatch.setattr(cli, "_until_told_to_stop", lambda arguments: arguments.command(arguments))
    async with quick_platform() as platform:
        for name, value in platform.env().items():
            monkeypatch.setenv(name, value)
        yield platform


@pytest.fixture
def batch(quick, capsys):
    """Run `parley batch … -o out`; returns its exit code, what it printed, and how many jobs it made."""

    async def call(*arguments):
        before = len(quick.ids["orchestrator"])
        code = await asyncio.to_thread(cli.main, ["batch", *map(str, arguments), "-o", "out"])
        captured = capsys.readouterr()
        return code, captured.out, captured.err, len(quick.ids["orchestrator"]) - before

    return call


def recordings(folder, *names):
    folder.mkdir(exist_ok=True, parents=True)
    for name in names:
        (folder / name).write_text(name, encoding="utf-8")


def results(folder):
    return {
        path.name: path.read_text(encoding="utf-8")
        for path in folder.iterdir()
        if not path.name.startswith(".parley-batch")
    }


async def test_each_recording_gets_its_file_and_is_not_done_again(batch, tmp_path):
    recordings(tmp_path / "in", "a.wav", "b.mp3", "notes.txt", ".hidden.wav")
    (tmp_path / "in" / "deep").mkdir()
    (tmp_path / "in" / "deep" / "a.wav").write_text("another a")
    code, out, err, jobs = await batch("in", "--concurrency", 2)
    assert (code, out, jobs) == (0, "3 done\n", 3)
    expected = {"a.txt": "Heard a.wav.\n", "b.txt": "Heard b.mp3.\n", "a-2.txt": "Heard another a.\n"}
    assert results(tmp_path / "out") == expected
    assert "[3/3] done: " in err
    assert await batch("in") == (0, "0 done, 3 done before\n", "", 0)


async def test_what_changed_and_what_failed_is_done_again(batch, tmp_path):
    recordings(tmp_path / "in", "a.wav", "b.wav", "bad.wav")
    code, out, err, jobs = await batch("in")
    failure = "failed: in/bad.wav: this is not audio [unreadable_audio]"
    assert (code, jobs) == (1, 3)
    assert out == f"{failure}\n2 done, 1 failed\nthe same command goes on with what is not done\n"
    assert failure in err
    (tmp_path / "in" / "a.wav").write_text("new a")
    (tmp_path / "in" / "bad.wav").write_text("good now")
    assert (await batch("in"))[1::2] == ("2 done, 1 done before\n", 2)
    assert results(tmp_path / "out") == {
        "a.txt": "Heard new a.\n", "b.txt": "Heard b.wav.\n", "bad.txt": "Heard good now.\n",
    }  # fmt: skip


async def test_other_options_and_force_do_all_again(batch, quick, tmp_path):
    recordings(tmp_path / "in", "a.wav", "b.wav")
    await batch("in")
    assert (await batch("in", "--speakers", 2))[1::2] == ("2 done\n", 2)
    assert (await batch("in", "--speakers", 2))[1::2] == ("0 done, 2 done before\n", 0)
    assert (await batch("in", "--speakers", 2, "--force"))[1::2] == ("2 done\n", 2)
    assert (await batch("in/*.wav", "--format", "json"))[1::2] == ("2 done\n", 2)
    assert [one.get("num_speakers") for one in quick.inputs["orchestrator"]] == [None] * 2 + [2] * 4 + [None] * 2
    assert sorted(results(tmp_path / "out")) == ["a.json", "a.txt", "b.json", "b.txt"]
    assert json.loads((tmp_path / "out" / "a.json").read_text())["text"] == "Heard a.wav."


async def test_a_copy_of_a_recording_is_not_paid_for(batch, tmp_path):
    recordings(tmp_path / "in", "a.wav")
    await batch("in")
    (tmp_path / "in" / "a.wav").rename(tmp_path / "in" / "z.wav")
    assert (await batch("in"))[1::2] == ("0 done, 1 done before\n", 0)
    assert results(tmp_path / "out") == {"a.txt": "Heard a.wav.\n", "z.txt": "Heard a.wav.\n"}


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"results": {"a.txt": 3}}', "\udcff"])
async def test_a_damaged_state_begins_anew_and_overwrites_nothing(batch, tmp_path, damage):
    recordings(tmp_path / "in", "a.wav")
    recordings(tmp_path / "out", "a.txt")
    (tmp_path / "out" / STATE_NAME).write_text(damage, errors="surrogateescape")
    code, out, err, jobs = await batch("in")
    assert (code, out, jobs) == (0, "1 done\n", 1)
    assert f"{STATE_NAME} is damaged" in err
    assert results(tmp_path / "out") == {"a.txt": "a.txt", "a-2.txt": "Heard a.wav.\n"}
    assert (await batch("in"))[1::2] == ("0 done, 1 done before\n", 0)


async def test_urls_are_recordings_too(batch, tmp_path):
    urls = ("https://example.org/talk.mp3?token=1", "https://example.org/", "https://example.org/talk.mp3?token=1")
    assert (await batch(*urls))[1::2] == ("2 done\n", 2)
    assert sorted(results(tmp_path / "out")) == ["recording.txt", "talk.txt"]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("none.wav",), "no recording is found at none.wav"),
        (("empty",), "no recording is found at empty"),
        (("*.flac",), "no recording is found at *.flac"),
        (("ftp://example.org/a.wav",), "ftp:// URLs cannot be fetched"),
        (("a.wav", "--speakers", 0), "num_speakers: Input should be greater than or equal to 1"),
        (("a.wav", "--known", "Ada=none.wav"), "cannot read none.wav: no such file"),
        (("a.wav", "-o", "a.wav/out"), "cannot write to a.wav/out: Not a directory"),
    ],
)
async def test_wrong_usage_starts_nothing(quick, tmp_path, capsys, arguments, reason):
    recordings(tmp_path, "a.wav")
    (tmp_path / "empty").mkdir()
    assert await asyncio.to_thread(cli.main, ["batch", "-o", "out", *map(str, arguments)]) == 2
    assert reason in capsys.readouterr().err
    assert quick.ids["orchestrator"] == []


@pytest.mark.parametrize("arguments", [["a.wav"], ["a.wav", "-o", "out", "--concurrency", "0"], ["-o", "out"]])
def test_usage_errors_exit_with_2(capsys, arguments):
    with pytest.raises(SystemExit) as caught:
        cli.main(["batch", *arguments])
    assert caught.value.code == 2
    assert "error:" in capsys.readouterr().err


async def test_an_error_that_all_would_meet_ends_it_early(batch, monkeypatch, tmp_path):
    recordings(tmp_path / "in", "a.wav", "b.wav", "c.wav")
    monkeypatch.setenv("RUNPOD_API_KEY", "wrong")
    code, out, _, jobs = await batch("in", "--concurrency", 1)
    assert (code, jobs) == (1, 0)
    assert "failed: in/a.wav: the orchestrator endpoint refused the API key" in out
    assert "0 done, 1 failed, 2 not done\n" in out


async def started(quick, *arguments):
    return await asyncio.create_subprocess_exec(
        sys.executable, "-W", "error", "-m", "orchestrator.cli", "batch", *arguments, "-o", "out",
        env={**quick.env(), "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_ctrl_c_cancels_the_remote_jobs_and_says_how_to_go_on(quick, batch, tmp_path, number):
    recordings(tmp_path / "in", "a.wav", "wait.wav", "wait-too.wav", "z.wav")
    process = await started(quick, "in", "--concurrency", "2")
    await quick.until_given("orchestrator", 3)
    while not (tmp_path / "out" / "a.txt").exists():
        await asyncio.sleep(0.01)
    process.send_signal(number)
    out, err = await asyncio.wait_for(process.communicate(), 10)
    assert process.returncode == 130
    assert out.decode() == "1 done, 3 not done\nthe same command goes on with what is not done\n"
    assert err.decode().splitlines()[-1] == "interrupted"
    assert sorted(await quick.states("orchestrator")) == ["CANCELLED", "CANCELLED", "COMPLETED"]
    quick.release.set()
    assert (await batch("in"))[1::2] == ("3 done, 1 done before\n", 3)


async def test_a_batch_that_was_killed_finds_its_running_jobs(quick, batch, tmp_path):
    recordings(tmp_path / "in", "a.wav", "wait.wav")
    process = await started(quick, "in")
    await quick.until_given("orchestrator", 2)
    while not (tmp_path / "out" / JOURNAL_NAME).exists():
        await asyncio.sleep(0.01)
    process.kill()
    await process.communicate()
    quick.release.set()
    assert (await batch("in"))[1::2] == ("1 done, 1 done before\n", 0)
    assert results(tmp_path / "out") == {"a.txt": "Heard a.wav.\n", "wait.txt": "Heard wait.wav.\n"}


async def test_health_is_a_table(quick, capsys):
    assert await asyncio.to_thread(cli.main, ["health"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["endpoint", "diarization", "transcription", "orchestrator"]
    assert lines[3].split()[1:3] == ["0", "0"]


async def test_a_key_of_the_command_line_is_passed_on(quick, tmp_path, capsys):
    recordings(tmp_path, "a.wav")
    for _ in range(2):
        assert await asyncio.to_thread(cli.main, ["transcribe", "a.wav", "--idempotency-key", "k"]) == 0
    assert capsys.readouterr().out == "Heard a.wav.\n" * 2
    assert len(quick.ids["orchestrator"]) == 1
