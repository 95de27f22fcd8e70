"""What a batch must not do: lose a result, replace what is not its own, or tell a secret."""

import asyncio
import os

import pytest

from orchestrator import cli
from orchestrator.cli_batch_lock import locked
from orchestrator.cli_batch_state import STATE_NAME, Entry, Remembered
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


def results(folder):
    return {path.name: path.read_text() for path in folder.iterdir() if not path.name.startswith(".parley-batch")}


async def test_a_second_batch_into_one_folder_is_refused(batch, tmp_path):
    (tmp_path / "a.wav").write_text("a")
    (tmp_path / "out").mkdir()
    with locked(tmp_path / "out"):
        code, out, err, jobs = await batch("a.wav")
    assert (code, out, jobs) == (2, "", 0)
    assert err == (
        "error: another batch is running into out; wait for its end, or give another folder [invalid_input]\n"
    )
    assert (await batch("a.wav"))[::3] == (0, 1)


async def test_a_file_that_somebody_else_makes_meanwhile_stays(quick, batch, tmp_path):
    (tmp_path / "a.wav").write_text("wait")
    running = asyncio.create_task(batch("a.wav"))
    await quick.until_given("orchestrator", 1)
    (tmp_path / "out" / "a.txt").write_text("mine")
    quick.release.set()
    code, out, err, _ = await running
    assert (code, out) == (0, "1 done\n")
    assert "done: a.wav -> out/a-2.txt" in err
    assert results(tmp_path / "out") == {"a.txt": "mine", "a-2.txt": "Heard wait.\n"}
    assert await batch("a.wav") == (0, "0 done, 1 done before\n", "", 0)


async def test_a_recording_that_changes_under_way_is_not_done(quick, batch, tmp_path):
    (tmp_path / "a.wav").write_text("wait")
    running = asyncio.create_task(batch("a.wav"))
    await quick.until_given("orchestrator", 1)
    (tmp_path / "a.wav").write_text("new words")
    quick.release.set()
    code, out, _, _ = await running
    assert code == 1
    assert out.startswith("failed: a.wav: the recording changed while it was read")
    (tmp_path / "a.wav").write_text("wait")
    assert (await batch("a.wav"))[1] == "1 done\n"
    assert results(tmp_path / "out") == {"a.txt": "Heard wait.\n"}
    assert (await batch("a.wav"))[1] == "0 done, 1 done before\n"


async def test_no_query_of_a_url_is_shown_or_kept(batch, tmp_path):
    urls = [f"https://example.org/{name}.wav?X-Amz-Signature=SECRET&part=PRIVATE" for name in ("bad", "ok")]
    code, out, err, _ = await batch(*urls)
    assert code == 1
    assert out.startswith("failed: https://example.org/bad.wav: this is not audio")
    assert "done: https://example.org/ok.wav -> out/ok.txt" in err
    kept = "".join(path.read_text() for path in (tmp_path / "out").glob(".*"))
    assert "https://example.org/ok.wav" in kept
    assert not [word for word in ("SECRET", "PRIVATE") if word in out + err + kept]


async def test_a_url_that_is_signed_anew_is_done(batch):
    url = "https://example.org/get?id={}&X-Amz-Date={}&X-Amz-Signature={}"
    assert (await batch(url.format(1, 2, 3), url.format(2, 2, 3)))[1::2] == ("2 done\n", 2)
    assert (await batch(url.format(1, 4, 5)))[1::2] == ("0 done, 1 done before\n", 0)
    assert (await batch(url.format(3, 4, 5)))[1::2] == ("1 done\n", 1)


async def test_a_state_that_names_another_folder_is_damaged(batch, tmp_path):
    (tmp_path / "a.wav").write_text("a")
    (tmp_path / "out").mkdir()
    source = os.fspath((tmp_path / "a.wav").resolve())
    for name in ("../escape.txt", "/escape.txt", "..", "", STATE_NAME, "a\\b.txt"):
        state = state_with(name, source)
        (tmp_path / "out" / STATE_NAME).write_text(state)
        code, _, err, _ = await batch("a.wav")
        assert (code, f"{STATE_NAME} is damaged" in err) == (0, True)
    assert not list(tmp_path.glob("escape*"))


def state_with(name, source):
    return Remembered.model_construct(results={name: Entry(source=source)}).model_dump_json()
