"""The compose file names only what exists, and lets nobody in from outside."""

import importlib.util
import re
from pathlib import Path

import pytest
import yaml

from common.redis_queue import KINDS, QUEUE_URL, RULES
from common.settings import VARIABLES
from orchestrator.cli_arguments import command_line
from orchestrator.cli_server import SERVER_COMMANDS
from orchestrator.server.settings import VARIABLES as SERVER_VARIABLES

ROOT = Path(__file__).parents[2]
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())
SERVICES = COMPOSE["services"]
BUILT = [name for name, service in SERVICES.items() if "build" in service]
SETTINGS = {variable.name for variable in (*VARIABLES, *SERVER_VARIABLES, QUEUE_URL)}


def of_profile(profile):
    return {name for name, service in SERVICES.items() if profile in service["profiles"]}


def seconds(text):
    minutes, _, rest = text.rpartition("m")
    return int(minutes or 0) * 60 + int(rest.rstrip("s") or 0)


def test_the_services_of_both_profiles():
    assert of_profile("gpu") == {"redis", "server", *KINDS}
    assert of_profile("native") == {"redis-native", "server-native"}
    assert all(len(service["profiles"]) == 1 for service in SERVICES.values())
    for service in SERVICES.values():
        (profile,) = service["profiles"]
        assert set(service.get("depends_on", ())) <= of_profile(profile)


@pytest.mark.parametrize("name", BUILT)
def test_what_is_built_exists(name):
    build = SERVICES[name]["build"]
    dockerfile = (ROOT / build["dockerfile"]).read_text()
    assert set(build["args"]) <= set(re.findall(r"^ARG (\w+)", dockerfile, re.MULTILINE))
    extras = re.search(r"\[project.optional-dependencies\](.*?)\n\[", (ROOT / "pyproject.toml").read_text(), re.DOTALL)
    assert set(build["args"]["EXTRAS"].split()) <= set(re.findall(r"^(\w+) = \[", extras[1], re.MULTILINE))


@pytest.mark.parametrize("name", BUILT)
def test_what_is_run_exists(name):
    python, flag, module, *arguments = SERVICES[name]["command"]
    assert (python, flag) == ("python", "-m")
    assert importlib.util.find_spec(module) is not None
    if module == "handlers.redis_worker":
        assert arguments == [name]
        assert name in KINDS
        assert seconds(SERVICES[name]["stop_grace_period"]) > RULES.grace_s
    else:
        assert command_line(SERVER_COMMANDS).parse_args(arguments).command is SERVER_COMMANDS["serve"]


@pytest.mark.parametrize("name", BUILT)
def test_settings_exist_and_none_is_a_secret(name):
    environment = SERVICES[name]["environment"]
    assert set(environment) <= SETTINGS
    assert QUEUE_URL.parse(environment["QUEUE_URL"]) == environment["QUEUE_URL"]
    assert environment["QUEUE_URL"].split("/")[2].split(":")[0] in SERVICES
    secrets = {key: value for key, value in environment.items() if re.search("TOKEN|KEY|SECRET|PASSWORD", key)}
    assert all(value == f"${{{key}:-}}" for key, value in secrets.items())


def test_redis_keeps_what_it_has_and_drops_nothing():
    for name in ("redis", "redis-native"):
        command = SERVICES[name]["command"]
        assert command[:3] == ["redis-server", "--appendonly", "yes"]
        assert command[3:] == ["--maxmemory-policy", "noeviction"]
        assert SERVICES[name]["healthcheck"]["test"] == ["CMD", "redis-cli", "ping"]
        assert SERVICES[name]["volumes"] == ["queue:/data"]


def test_only_this_machine_gets_in():
    ports = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert ports == {
        "server": ["127.0.0.1:8080:8080"],
        "server-native": ["127.0.0.1:8080:8080"],
        "redis-native": ["127.0.0.1:6379:6379"],
    }


def test_workers_reach_the_server_and_have_a_gpu():
    assert SERVICES["server"]["environment"]["SERVER_URL"] == "http://server:8080"
    assert SERVICES["server-native"]["environment"]["SERVER_URL"] == "http://127.0.0.1:8080"
    for kind in KINDS:
        (device,) = SERVICES[kind]["deploy"]["resources"]["reservations"]["devices"]
        assert device["capabilities"] == ["gpu"]


def test_volumes_are_declared():
    used = {volume.partition(":")[0] for service in SERVICES.values() for volume in service["volumes"]}
    assert used == set(COMPOSE["volumes"])
