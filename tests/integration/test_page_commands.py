"""Every `parley …` line of README, docs/usage.md and docs/accuracy.md, run as it stands, with quick workers."""

import asyncio
import json
import shlex
from contextlib import asynccontextmanager

import pytest

from orchestrator import cli, cli_client
from tests.support.fake_endpoint import HEARD
from tests.support.markdown_pages import pages, shell_lines
from tests.support.quick_platform import quick_platform

PAGES = ("README.md", "docs/usage.md", "docs/accuracy.md")
RECORDINGS = ("meeting.mp3", "ada.wav", "recordings/one.wav", "recordings/two.mp3", "more/three.m4a")
SAID = "Heard meeting.mp3.\n"
RTTM = "SPEAKER audio 1 0.000 1.000 <NA> <NA> SPEAKER_00 <NA> <NA>"
ADA, BEN = {"name": "Ada", "audio": "YWRhLndhdg=="}, {"name": "Ben", "audio": "https://example.com/ben.wav"}
# What a line is to print, and of what is asked of the worker the fields that the line is about.
EXPECTED = {
    "transcribe meeting.mp3 --format srt --speakers 2 -o meeting.srt": (
        "", {"num_speakers": 2, "response_format": "srt"},
    ),
    "transcribe --local meeting.mp3": (SAID, {"response_format": "text"}),
    "batch recordings/ --output-dir transcripts --format srt": ("2 done\n", {"response_format": "srt"}),
    'transcribe meeting.mp3 --hotword Adamczyk --hotword "Fort Wayne"': (
        SAID, {"hotwords": ["Adamczyk", "Fort Wayne"]},
    ),
    'batch recordings/ "more/*.m4a" --output-dir transcripts --format srt': ("3 done\n", {"response_format": "srt"}),
    "diarize meeting.mp3": (RTTM, {}),
    "doctor": ("profile           laptop", None),
    "health": ("transcription                 0", None),
    "transcribe meeting.mp3 --known Ada=ada.wav --known Ben=https://example.com/ben.wav": (
        SAID, {"known_speakers": [ADA, BEN]},
    ),
    "transcribe meeting.mp3 --name SPEAKER_00=Ada": (SAID, {"speaker_names": {"SPEAKER_00": "Ada"}}),
    "transcribe meeting.mp3 --name-speakers": (SAID, {"name_speakers": True}),
    "transcribe meeting.mp3 --format verbose_json -o meeting.json": ("", {"response_format": "verbose_json"}),
    "transcribe meeting.mp3 --words meeting.json --speakers 3": (
        SAID, {"words": HEARD["words"], "num_speakers": 3},
    ),
}  # fmt: skip


def command_lines(page):
    """Return the `parley` lines of a page without the program's name and comments."""
    lines = [shlex.split(line, comments=True) for line in shell_lines(pages()[page])]
    return [words[1:] for words in lines if words[0] == "parley"]


@pytest.fixture
async def quick(monkeypatch, tmp_path):
    """A folder with all recordings, and the endpoints that the environment names; `--local` gets the same workers."""
    for name in RECORDINGS:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATA_FOLDER", str(tmp_path / "data"))
    monkeypatch.setenv("PARLEY_PROFILE", "laptop")
    # signal handlers belong to the main thread, where a user's command runs
    monkeypatch.setattr(cli, "_until_told_to_stop", lambda arguments: arguments.command(arguments))
    async with quick_platform() as platform:

        @asynccontextmanager
        async def started_here(_folder, *, env):
            for name in platform.env():
                assert name not in env, "workers of one's own need no endpoints"
            yield platform.settings()

        monkeypatch.setattr(cli_client, "local_stack", started_here)
        yield platform


@pytest.mark.parametrize("page", PAGES)
async def test_the_commands_of_a_page_do_what_they_say(quick, monkeypatch, capsys, page):
    expected = {tuple(shlex.split(line)): outcome for line, outcome in EXPECTED.items()}
    lines = command_lines(page)
    assert len(lines) >= 3
    for words in lines:
        for name, value in quick.env().items():
            monkeypatch.delenv(name, raising=False) if "--local" in words else monkeypatch.setenv(name, value)
        printed, asked_for = expected[tuple(words)]
        asked = quick.inputs["diarization" if words[0] == "diarize" else "orchestrator"]
        before = len(asked)
        code = await asyncio.to_thread(cli.main, words)
        out = capsys.readouterr().out
        if words[0] != "doctor":  # whose exit code is the machine's affair
            assert code == 0, words
        assert printed in out if printed else out == "", words
        if asked_for is not None:
            assert asked[before:], words
            assert asked_for.items() <= asked[-1].items(), words


async def test_written_files_are_where_the_lines_say(quick, monkeypatch, tmp_path):
    for name, value in quick.env().items():
        monkeypatch.setenv(name, value)
    for line in EXPECTED:
        if "-o" in shlex.split(line) or line.startswith("batch recordings/ --output"):
            await asyncio.to_thread(cli.main, shlex.split(line))
    assert (tmp_path / "meeting.srt").read_text(encoding="utf-8") == SAID
    assert json.loads((tmp_path / "meeting.json").read_text(encoding="utf-8"))["words"] == HEARD["words"]
    assert {path.name for path in (tmp_path / "transcripts").glob("*.srt")} == {"one.srt", "two.srt"}


def test_every_expectation_is_of_a_line():
    lines = {tuple(words) for page in PAGES for words in command_lines(page)}
    assert lines == {tuple(shlex.split(line)) for line in EXPECTED}
