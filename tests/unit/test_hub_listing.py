"""The files that RunPod Hub reads: of its form, and with settings that there are."""

import json
import runpy
from pathlib import Path

import pytest

from common.contract import OrchestrationRequest, parse_request
from common.settings import load_settings
from orchestrator.deploy.env_values import BY_NAME
from tests.support.hub_schema import Hub, HubTests

ROOT = Path(__file__).resolve().parents[2]


def read(name):
    return json.loads((ROOT / name).read_text(encoding="utf-8"))


HUB = Hub.model_validate(read(".runpod/hub.json"))
TESTS = HubTests.model_validate(read(".runpod/tests.json"))


def test_there_is_what_the_hub_builds():
    assert (ROOT / ".runpod" / "Dockerfile").is_file()
    assert "combined" in (ROOT / ".runpod" / "Dockerfile").read_text(encoding="utf-8")
    assert HUB.config.allowed_cuda_versions == TESTS.config.allowed_cuda_versions


def test_the_handler_beside_it_is_the_combined_worker(monkeypatch):
    started = []
    monkeypatch.setattr("handlers.combined.handler.main", lambda: started.append("combined"))
    runpy.run_path(str(ROOT / ".runpod" / "handler.py"), run_name="__main__")
    assert started == ["combined"]
    assert (ROOT / "README.md").is_file()  # which the Hub shows


def test_every_input_is_a_setting_of_parley_with_its_own_default():
    for one in HUB.config.env:
        variable = BY_NAME[one.key]
        offered = [option.value for option in one.input.options or ()] or [str(one.input.default)]
        for value in filter(None, offered):
            variable.read({one.key: value}, laptop=False)
        default = variable.read({one.key: str(one.input.default)}, laptop=False)
        assert default == variable.default or one.key == "DIARIZATION_MODEL"  # for which there need be no token


@pytest.mark.parametrize("preset", HUB.config.presets, ids=lambda preset: preset.name)
def test_a_preset_is_what_a_worker_starts_with(preset):
    inputs = {one.key: one.input for one in HUB.config.env}
    for key, value in preset.defaults.items():
        assert not inputs[key].options or value in {option.value for option in inputs[key].options}
    env = {one.key: str(one.input.default) for one in HUB.config.env} | preset.defaults
    diarization = load_settings(env).diarization.model
    assert preset.name.endswith("needs a token") == diarization.startswith("pyannote/")


@pytest.mark.parametrize("case", TESTS.tests, ids=lambda case: case.name)
def test_a_case_of_the_hub_is_a_request_that_needs_no_secret(case):
    parse_request(OrchestrationRequest, case.input)
    settings = load_settings({one.key: one.value for one in TESTS.config.env})
    assert settings.diarization.model == "bundled"
