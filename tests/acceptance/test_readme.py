"""Python and curl of README and docs/usage.md run as they stand, but for addresses, ids and the recording's place."""

import difflib
import json
import re
import subprocess

import pytest

from common.settings import VARIABLES
from tests.support.markdown_pages import fences, pages
from tests.support.optional import needed_program
from tests.support.stack_jobs import FINAL

README = pages()["README.md"]
BLOCKS = [*fences(README), *fences(pages()["docs/usage.md"])]
SNIPPETS = [content for language, content in BLOCKS if language == "python"]
CURLS = [content for language, content in BLOCKS if language == "sh" and "curl" in content]
SHOWN = next(content for language, content in BLOCKS if language == "text")


def adapted(code, stack, sample_url):
    changes = {
        "https://api.runpod.ai/v2": stack.env["RUNPOD_BASE_URL"],
        "https://example.com/meeting.wav": sample_url,
        "YOUR_RUNPOD_API_KEY": stack.env["RUNPOD_API_KEY"],
        **{f"YOUR_{name}": value for name, value in stack.env.items() if name.endswith("_ENDPOINT_ID")},
    }
    for old, new in changes.items():
        code = code.replace(old, new)
    return code


def test_there_is_a_snippet_for_each_way():
    assert len(SNIPPETS) == 5


@pytest.mark.parametrize("number", range(5))
def test_a_snippet_runs_and_prints_the_conversation(stack, sample, sample_url, tmp_path, monkeypatch, capsys, number):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RUNPOD_BASE_URL", stack.env["RUNPOD_BASE_URL"])
    monkeypatch.delenv("ORCHESTRATOR_ENDPOINT_ID", raising=False)
    (tmp_path / "meeting.mp3").write_bytes(sample.read_bytes())
    code = adapted(SNIPPETS[number], stack, sample_url)
    exec(compile(code, f"README snippet {number}", "exec"), {"__name__": "snippet"})
    printed = capsys.readouterr().out
    assert "originally from Chicago" in printed
    if "speaker" in code:
        assert "SPEAKER_00" in printed
        assert "SPEAKER_01" in printed
        assert likeness(said(printed), said(SHOWN)) > 0.9


def said(text):
    """Return the words of a printed conversation, each with the number of its speaker."""
    lines = re.findall(r"SPEAKER_0([01]):? +(.*)", text)
    return [(speaker, word) for speaker, line in lines for word in line.split()]


def likeness(ours, shown):
    """Return which part of two lists of words is the same, in order."""
    return difflib.SequenceMatcher(None, ours, shown, autojunk=False).ratio()


def answer_of(command):
    done = subprocess.run(["bash", "-euc", command], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_curl_commands_run_ask_for_and_stop_a_job(stack, clip_url):
    needed_program("curl")
    run, status, cancel = (adapted(block, stack, clip_url) for block in CURLS)
    job_id = answer_of(run)["id"]
    assert stack.wait_status("orchestrator", job_id, FINAL)["status"] == "COMPLETED"
    assert "Chicago" in answer_of(status.replace("YOUR_JOB_ID", job_id))["output"]["text"]
    job_id = answer_of(run)["id"]
    assert answer_of(cancel.replace("YOUR_JOB_ID", job_id)) == {"id": job_id, "status": "CANCELLED"}
    assert answer_of(status.replace("YOUR_JOB_ID", job_id))["status"] == "CANCELLED"


def test_the_configuration_table_knows_only_variables_that_exist():
    known = {name for variable in VARIABLES for name in (variable.name, *variable.aliases)}
    table = README.split("## Configuration")[1].split("## Where")[0]
    named = {name for row in table.splitlines() if row.startswith("| `") for name in re.findall(r"`([A-Z_]+)`", row)}
    assert named <= known
    assert len(named) >= 10
