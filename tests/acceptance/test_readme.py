"""The README's Python and curl run as they stand, with only the addresses, ids and the recording's place changed."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from common.settings import VARIABLES
from tests.support.optional import needed_program
from tests.support.stack_jobs import FINAL

README = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")
SNIPPETS = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
CURLS = [block for block in re.findall(r"```sh\n(.*?)```", README, flags=re.DOTALL) if "curl" in block]


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


def test_no_link_is_dead():
    root = Path(__file__).resolve().parents[2]
    targets = re.findall(r"\]\(([^)#]+)\)", README)
    assert targets
    assert all((root / target).exists() for target in targets)
