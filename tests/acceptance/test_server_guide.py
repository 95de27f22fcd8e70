"""The examples of docs/server.md, run as they stand against a server with the bundled models."""

import json
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests

GUIDE = (Path(__file__).resolve().parents[2] / "docs" / "server.md").read_text(encoding="utf-8")
CURL = next(block for block in re.findall(r"```sh\n(.*?)```", GUIDE, flags=re.DOTALL) if "curl" in block)
SNIPPET = re.search(r"```python\n(.*?)```", GUIDE, flags=re.DOTALL)[1]
ROUTES = re.findall(r"`(GET|POST|PUT|DELETE) (/[^`?]*)`", GUIDE)


@pytest.fixture
def folder(sample, tmp_path):
    shutil.copy(sample, tmp_path / "meeting.mp3")  # the content tells what it is, not the name
    return tmp_path


def run(command, folder):
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=100, check=True).stdout


def test_the_upload_is_answered_as_the_guide_says_and_ends_in_a_transcript(served, folder):
    answer = json.loads(run(["bash", "-euc", CURL.replace("http://127.0.0.1:8080", served.url)], folder))
    shown = json.loads(re.search(r"```json\n(.*?)```", GUIDE, flags=re.DOTALL)[1])
    assert {**answer, "job_id": "…"} == {**shown, "position": answer["position"]}
    deadline = time.monotonic() + 100
    while (status := requests.get(f"{served.url}/api/status/{answer['job_id']}", timeout=5).json())["progress"] < 100:
        assert status["status"] in {"queued", "running"}, status
        assert time.monotonic() < deadline, status
        time.sleep(0.2)
    text = requests.get(f"{served.url}/api/results/{answer['job_id']}?format=txt", timeout=5).text
    assert "originally from Chicago" in text
    result = requests.get(f"{served.url}/api/results/{answer['job_id']}", timeout=5).json()
    assert (result["num_speakers"], result["success"]) == (2, True)
    assert result["performance_metrics"]["total_s"] > 0


def test_the_official_client_gets_a_conversation(served, folder):
    code = SNIPPET.replace("http://127.0.0.1:8080", served.url)
    told = run([sys.executable, "-c", code], folder)
    assert "Chicago" in told
    assert {line.partition(":")[0] for line in told.splitlines()} == {"SPEAKER_00", "SPEAKER_01"}


def test_every_route_of_the_guide_is_there(served):
    document = requests.get(f"{served.url}/openapi.json", timeout=5).json()["paths"]
    known = {
        (method.upper(), re.sub(r"\{[^}]*\}", "{id}", path)) for path, methods in document.items() for method in methods
    }
    assert set(ROUTES) <= known | {("GET", "/openapi.json")}
    assert len(ROUTES) > 12
