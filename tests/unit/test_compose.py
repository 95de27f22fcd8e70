"""The compose files name only what exists, and let nobody in from outside."""

import importlib.util
import re
import subprocess
import sys
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest
import yaml

from common.redis_queue import KINDS, QUEUE_URL, RULES
from common.settings import VARIABLES
from orchestrator.cli_arguments import command_line
from orchestrator.cli_server import SERVER_COMMANDS
from orchestrator.server.settings import VARIABLES as SERVER_VARIABLES
from orchestrator.server.settings import load_server_settings
from tests.support.nginx import replaced
from tests.support.optional import needed

ROOT = Path(__file__).parents[2]
BAKED = "/home/parley/.cache/huggingface"
NAMES = ("compose.yaml", "selfhost/compose.yaml")
FILES = {name: yaml.safe_load((ROOT / name).read_text()) for name in NAMES}
SERVICES = FILES["compose.yaml"]["services"]
TEAM = FILES["selfhost/compose.yaml"]["services"]
BUILT = [(file, name) for file in NAMES for name, service in FILES[file]["services"].items() if "build" in service]
STARTED = [(file, name) for file, name in BUILT if not name.endswith("-models")]
SETTINGS = {variable.name for variable in (*VARIABLES, *SERVER_VARIABLES, QUEUE_URL)}


def of_profile(profile):
    return {name for name, service in SERVICES.items() if profile in service["profiles"]}


def seconds(text):
    minutes, _, rest = text.rpartition("m")
    return int(minutes or 0) * 60 + int(rest.rstrip("s") or 0)


def test_the_files_are_as_the_compose_specification_says():
    needed("check_jsonschema")
    files = [str(ROOT / name) for name in (*NAMES, "selfhost/compose.tls.yaml")]
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", *files]
    said = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert said.stdout == "ok -- validation done\n"


@pytest.mark.parametrize("file", NAMES)
def test_what_is_depended_on_and_mounted_is_declared(file):
    services = FILES[file]["services"]
    mounted = [one.split(":") for service in services.values() for one in service.get("volumes", ())]
    assert {source for source, *_ in mounted if not source.startswith(".")} == set(FILES[file]["volumes"])
    for source, _, *mode in mounted:
        if source.startswith("."):
            assert (ROOT / file).parent.joinpath(source).exists()
            assert mode == ["ro"]
    for service in services.values():
        waited = service.get("depends_on", {})
        assert set(waited) <= set(services)
        for name in waited if isinstance(waited, dict) else ():
            healthy = "healthcheck" in services[name]
            assert waited[name] == {"condition": "service_healthy" if healthy else "service_completed_successfully"}


@pytest.mark.parametrize(("file", "name"), BUILT)
def test_what_is_built_exists(file, name):
    build = FILES[file]["services"][name]["build"]
    assert (ROOT / file).parent.joinpath(build["context"]).resolve() == ROOT
    dockerfile = (ROOT / build["dockerfile"]).read_text()
    assert set(build["args"]) <= set(re.findall(r"^ARG (\w+)", dockerfile, re.MULTILINE))
    extras = re.search(r"\[project.optional-dependencies\](.*?)\n\[", (ROOT / "pyproject.toml").read_text(), re.DOTALL)
    assert set(build["args"]["EXTRAS"].split()) <= set(re.findall(r"^(\w+) = \[", extras[1], re.MULTILINE))


@pytest.mark.parametrize(("file", "name"), STARTED)
def test_what_is_run_exists(file, name):
    service = FILES[file]["services"][name]
    python, flag, module, *arguments = service.get("entrypoint", []) + service["command"]
    assert (python, flag) == ("python", "-m")
    assert importlib.util.find_spec(module) is not None
    if module == "handlers.redis_worker":
        assert arguments == [name]
        assert name in KINDS
        assert seconds(service["stop_grace_period"]) > RULES.grace_s
    else:
        command = {"keys": "keys"}.get(name, "serve")
        assert command_line(SERVER_COMMANDS).parse_args(arguments).command is SERVER_COMMANDS[command]


@pytest.mark.parametrize(("file", "name"), STARTED)
def test_settings_exist_and_none_is_a_secret(file, name):
    environment = FILES[file]["services"][name]["environment"]
    assert set(environment) <= SETTINGS | {"HF_HOME"}
    assert QUEUE_URL.parse(environment["QUEUE_URL"]) == environment["QUEUE_URL"]
    assert environment["QUEUE_URL"].split("/")[2].split(":")[0] in FILES[file]["services"]
    secrets = {key: value for key, value in environment.items() if re.search("TOKEN|KEY|SECRET|PASSWORD", key)}
    assert all(value == f"${{{key}:-}}" for key, value in secrets.items())


def test_the_services_of_both_profiles():
    assert of_profile("gpu") == {"redis", "server", *KINDS}
    assert of_profile("native") == {"redis-native", "server-native"}
    assert all(len(service["profiles"]) == 1 for service in SERVICES.values())
    for service in SERVICES.values():
        (profile,) = service["profiles"]
        assert set(service.get("depends_on", ())) <= of_profile(profile)


@pytest.mark.parametrize("redis", [SERVICES["redis"], SERVICES["redis-native"], TEAM["redis"]])
def test_redis_keeps_what_it_has_and_drops_nothing(redis):
    assert redis["command"] == ["redis-server", "--appendonly", "yes", "--maxmemory-policy", "noeviction"]
    assert redis["healthcheck"]["test"] == ["CMD", "redis-cli", "ping"]
    assert redis["volumes"] == ["queue:/data"]


def test_only_this_machine_gets_in():
    ports = {
        (file, name): one["ports"] for file in NAMES for name, one in FILES[file]["services"].items() if "ports" in one
    }
    assert ports == {
        ("compose.yaml", "server"): ["127.0.0.1:8080:8080"],
        ("compose.yaml", "server-native"): ["127.0.0.1:8080:8080"],
        ("compose.yaml", "redis-native"): ["127.0.0.1:6379:6379"],
        ("selfhost/compose.yaml", "nginx"): ["127.0.0.1:8080:8080"],
    }


def test_workers_reach_the_server_and_have_a_gpu():
    assert SERVICES["server"]["environment"]["SERVER_URL"] == "http://server:8080"
    assert SERVICES["server-native"]["environment"]["SERVER_URL"] == "http://127.0.0.1:8080"
    for service in [file[kind] for file in (SERVICES, TEAM) for kind in KINDS]:
        (device,) = service["deploy"]["resources"]["reservations"]["devices"]
        assert device["capabilities"] == ["gpu"]


def test_nginx_and_the_servers_of_a_team_know_each_other():
    addresses = {name: one["networks"]["default"]["ipv4_address"] for name, one in TEAM.items() if "networks" in one}
    (pool,) = FILES["selfhost/compose.yaml"]["networks"]["default"]["ipam"]["config"]
    assert set(addresses) == {"nginx", "server-1", "server-2"}
    fixed = {ip_address(address) for address in (*addresses.values(), pool["gateway"])}
    assert len(fixed) == 4
    assert all(address in ip_network(pool["subnet"]) for address in fixed)
    assert ip_network(pool["ip_range"]).subnet_of(ip_network(pool["subnet"]))
    assert not [address for address in fixed if address in ip_network(pool["ip_range"])]
    mounted = dict(one.split(":")[1::-1] for one in TEAM["nginx"]["volumes"])
    passed_on = (ROOT / "selfhost" / mounted["/etc/nginx/parley/instances.conf"]).read_text()
    servers = {name for name in TEAM if name.startswith("server-")}
    assert set(re.findall(r"^server ([\d.]+):8080 ", passed_on, re.MULTILINE)) == {addresses[name] for name in servers}
    plain = (ROOT / "selfhost" / mounted["/etc/nginx/conf.d/default.conf"]).read_text()
    assert re.findall(r"^    listen (\d+);", plain, re.MULTILINE) == ["8080", "8090"]
    for name in servers:
        assert TEAM[name]["environment"]["TRUSTED_PROXIES"] == addresses["nginx"]
        assert TEAM[name]["environment"]["SERVER_URL"] == "http://nginx:8090"


def test_https_takes_the_place_of_http():
    over = yaml.safe_load((ROOT / "selfhost/compose.tls.yaml").read_text())["services"]
    assert list(over) == ["nginx"]
    ports = re.findall(r"^    listen (\d+)", (ROOT / "selfhost/nginx/tls.conf").read_text(), re.MULTILINE)
    assert over["nginx"]["ports"] == [f"{port}:{port}" for port in ports if port in {"80", "443"}]
    configuration, *of_the_machine = over["nginx"]["volumes"]
    assert configuration == TEAM["nginx"]["volumes"][1].replace("plain", "tls")
    assert of_the_machine == [f"{path}:{path}:ro" for path in ("/etc/letsencrypt", "/var/www/html")]


def test_the_servers_of_a_team_share_all_but_their_logs():
    settings = []
    for name in ("server-1", "server-2"):
        assert TEAM[name]["volumes"] == ["server:/home/parley"]
        environment = TEAM[name]["environment"]
        database = re.sub(r"\$\{POSTGRES_PASSWORD:\?[^}]*\}", "secret", environment["DATABASE_URL"])
        jobs = environment["SERVER_JOBS_AT_ONCE"].removeprefix("${SERVER_JOBS_AT_ONCE:-").rstrip("}")
        read = load_server_settings({**environment, "DATABASE_URL": database, "SERVER_JOBS_AT_ONCE": jobs})
        assert read.database_url == "postgresql+psycopg://parley:secret@postgres/parley"
        assert (read.port, read.jobs_at_once, read.storage_url) == (8080, 1, "/home/parley/data/files")
        settings.append({**environment, "LOG_FILE": ""})
        assert environment["LOG_FILE"].endswith(f"/{name}.log")
    assert settings[0] == settings[1]
    assert TEAM["keys"]["environment"] == {name: value for name, value in settings[0].items() if name != "LOG_FILE"}
    database = TEAM["postgres"]["environment"]
    assert (database["POSTGRES_USER"], database["POSTGRES_DB"]) == ("parley", "parley")


def test_keys_can_be_made_while_the_servers_run():
    keys = TEAM["keys"]
    assert keys["profiles"] == ["keys"]  # not with the others
    assert keys["volumes"] == TEAM["server-1"]["volumes"]
    assert "networks" not in keys
    head = (ROOT / "selfhost/compose.yaml").read_text().partition("\nx-")[0]
    arguments = re.search(r"run --rm keys (\w+ \w+) ", head)[1].split()
    parsed = command_line(SERVER_COMMANDS).parse_args([*keys["entrypoint"][3:], *arguments])
    assert parsed.command is SERVER_COMMANDS["keys"]


def test_workers_share_one_folder_of_models_into_which_those_of_their_images_are_put():
    for kind in KINDS:
        worker, fill = TEAM[kind], TEAM[f"{kind}-models"]
        assert worker["build"] == fill["build"]
        assert worker["volumes"] == fill["volumes"] == ["models:/models"]
        assert worker["environment"]["HF_HOME"] == "/models"
        assert fill["user"] == "0"
        assert {name for name in worker["depends_on"] if name.endswith("-models")} == {"transcription-models"}
        dockerfile = (ROOT / worker["build"]["dockerfile"]).read_text()
        assert f"HF_HOME={BAKED} " in dockerfile.replace("\\\n", " ")
        assert "useradd --create-home --uid 1000 parley" in dockerfile
    assert set(TEAM["transcription-models"]["depends_on"]) == {"diarization-models"}


def test_what_was_put_there_is_kept_and_belongs_to_the_images_user(tmp_path):
    shell, flag, commands = TEAM["diarization-models"]["command"]
    baked, models = tmp_path / "baked", tmp_path / "models"
    for name in (baked / "hub/blobs/1", baked / "hub/refs/main", models / "hub/blobs/2"):
        name.parent.mkdir(parents=True, exist_ok=True)
        name.write_text(name.name)
    (baked / "hub/link").symlink_to("blobs/1")
    there = replaced(commands, {BAKED: str(baked), "/models": str(models), "chown": "echo"})
    for _ in range(2):
        said = subprocess.run([shell, flag, there], check=True, capture_output=True, text=True, timeout=60).stdout
        assert said == f"1000:1000 {models}\n"
    found = sorted(str(path.relative_to(models)) for path in models.rglob("*") if not path.is_dir())
    assert found == ["hub/blobs/1", "hub/blobs/2", "hub/link", "hub/refs/main"]
    assert (models / "hub/link").read_text() == "1"
