"""docs/deploy.md: its dry run is what the command prints, its tables say what the settings file and the code say."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from common import errors
from common.errors import ParleyError
from common.settings import VARIABLES
from orchestrator.cli import COMMANDS, main
from orchestrator.deploy.cpu_endpoints import BY_HAND
from orchestrator.deploy.fields import wanted_fields
from orchestrator.deploy.settings_file import EndpointTable, load_settings_file
from tests.support.deploy_calls import EXAMPLE

ROOT = Path(__file__).resolve().parents[2]
GUIDE = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
SHELL = "\n".join(re.findall(r"```sh\n(.*?)```", GUIDE, flags=re.DOTALL))
KINDS = ("diarization", "transcription", "orchestrator", "combined")


def rows(heading):
    section = GUIDE.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in section.splitlines() if line.startswith("|")][2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def shown(value):
    return (
        "on" if value is True else ", ".join(value) if isinstance(value, list) else "–" if value is None else str(value)
    )


def test_the_dry_run_is_what_the_command_prints(monkeypatch, capsys):
    for name in ("RUNPOD_API_KEY", "HUGGINGFACE_ACCESS_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(ROOT)
    assert main(["deploy", "--dry-run"]) == 0
    (written,) = re.findall(r"```text\n(.*?)```", GUIDE, flags=re.DOTALL)
    assert capsys.readouterr().out == written


@pytest.mark.parametrize("row", rows("Endpoint settings"), ids=lambda row: row[0])
def test_the_table_of_settings_says_what_the_file_says(row):
    settings, name = load_settings_file(EXAMPLE), row[0].strip("`")
    for kind, cell in zip(KINDS, row[1:5], strict=True):
        value = {**wanted_fields(settings, kind), "model": settings.table(kind).model}.get(name)
        assert cell == shown(value), (name, kind)


def test_every_setting_of_the_file_is_in_the_guide():
    section = GUIDE.split("## Endpoint settings\n", 1)[1].split("\n## ", 1)[0]
    assert {name for name in EndpointTable.model_fields if f"`{name}`" not in section} == {"env"}


def test_every_variable_and_code_of_the_guide_is_there():
    names = {name for variable in VARIABLES for name in (variable.name, *variable.aliases)}
    written = set(re.findall(r"`([A-Z][A-Z0-9_]{3,})(?: ?= ?[^`]*)?`", GUIDE)) - {"MODELS", "YOUR_NAME", "TIMED_OUT"}
    pools = {"AMPERE_16", "AMPERE_48"}
    assert written - pools - {"RUNPOD_INIT_TIMEOUT"} <= names
    kinds = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, ParleyError)]
    codes = {
        code
        for row in rows("When something is wrong")
        for code in re.findall(r"`([a-z]+_[a-z_]+|unauthorized)`", row[0])
    }
    assert len(codes) > 8
    assert codes <= {kind.code for kind in kinds}


def test_every_needed_symptom_has_a_row():
    text = "\n".join(" ".join(row) for row in rows("When something is wrong"))
    for needed in ("not there yet", "latency", "diarization endpoint", "deadline_exceeded", "result_expired", "401",
                   "out of memory", "too many workers"):  # fmt: skip
        assert needed in text
    assert all(len(row) == 3 and all(row) for row in rows("When something is wrong"))


def test_the_commands_name_what_there_is():
    images = tomllib.loads(EXAMPLE.read_text(encoding="utf-8"))["images"]
    loop = re.search(r"for worker in ([a-z ]+); do", SHELL)[1].split()
    for worker in loop:
        assert (ROOT / f"Dockerfile.{worker}").is_file()
    assert images.replace("{kind}", "$worker") in SHELL
    assert f"-f .runpod/Dockerfile -t {images.replace('{kind}', 'combined')} ." in SHELL
    assert images.replace("{kind}", "orchestrator") in SHELL
    assert 'ids=$(.venv/bin/parley deploy) && eval "$ids"' in SHELL
    assert set(re.findall(r"\.venv/bin/parley ([a-z]+)", SHELL)) <= set(COMMANDS)
    subprocess.run(["bash", "-n", "-c", SHELL], check=True)
    assert (ROOT / "handlers" / "transcription" / "test_input.json").is_file()


def test_what_the_errors_of_a_deployment_refer_to_is_there():
    assert "## An orchestrator by hand\n" in GUIDE
    assert 'docs/deploy.md, "An orchestrator by hand"' in BY_HAND
    symptoms = " ".join(row[0] for row in rows("When something is wrong"))
    for said in ("was not made", "was not changed", "with GPUs", "it is unknown whether it makes", "are called"):
        assert f'"{said}' in symptoms or f'{said}"' in symptoms
