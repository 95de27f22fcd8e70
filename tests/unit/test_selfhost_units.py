"""The systemd units: what they start exists, its settings are known, and it is stopped and begun again as it asks."""

import configparser
import re
import subprocess
from pathlib import Path

import pytest

from common.redis_queue import KINDS, QUEUE_URL, RULES
from common.runpod_loop import EX_CONFIG
from common.settings import VARIABLES
from orchestrator.cli import COMMANDS
from orchestrator.cli_arguments import command_line
from orchestrator.cli_output import EXIT_BAD_INPUT, EXIT_INTERRUPTED
from orchestrator.server.app import SHUTDOWN_S
from orchestrator.server.settings import VARIABLES as SERVER_VARIABLES
from orchestrator.server.settings import load_server_settings
from tests.support.optional import needed_program

FOLDER = Path(__file__).parents[2] / "selfhost" / "systemd"
GUIDE = (FOLDER.parents[1] / "docs" / "self-hosting.md").read_text(encoding="utf-8")
(DROP_IN,) = re.findall(r"```ini\n(\[Unit\].*?)```", GUIDE, flags=re.DOTALL)
UNITS = {"server": "8081", "worker": "diarization"}  # and what one of each is called
PARLEY = "/opt/parley/.venv/bin/parley"
STATE, CACHE, LOGS = "/var/lib/parley", "/var/cache/parley", "/var/log/parley"
OF_OTHERS = {
    "HF_HOME",
    "PARLEY_LOGS",
    "CUDA_VISIBLE_DEVICES",
    "KIND",
}  # the hub's, the command line's, CUDA's, the unit's
SETTINGS = {variable.name for variable in (*VARIABLES, *SERVER_VARIABLES, QUEUE_URL)}
NOT_WITH_A_GPU = {"PrivateDevices", "ProtectClock", "MemoryDenyWriteExecute", "DevicePolicy"}


class Repeated(dict):
    """Sections in which a key may come several times: its values, one a line."""

    def __setitem__(self, key, value):
        super().__setitem__(key, [*self[key], *value] if isinstance(value, list) and key in self else value)


def unit(kind):
    """The sections of a unit, all values as lists, for the instance in UNITS."""
    parser = configparser.RawConfigParser(dict_type=Repeated, strict=False, delimiters=("=",))
    parser.optionxform = str
    text = (FOLDER / f"parley-{kind}@.service").read_text()
    parser.read_string(text.replace("%i", UNITS[kind]))
    return {name: {key: value.split("\n") for key, value in parser[name].items()} for name in parser.sections()}


def environment_of(kind):
    return dict(line.split("=", 1) for line in unit(kind)["Service"]["Environment"])


def env_file():
    """All settings of the example, those in comments too."""
    return dict(re.findall(r"^(?:# )?([A-Z_]+)=(.*)$", (FOLDER / "parley.env").read_text(), re.MULTILINE))


@pytest.mark.parametrize("kind", UNITS)
def test_what_is_started_is_a_command_of_ours(kind):
    (command,) = unit(kind)["Service"]["ExecStart"]
    program, *arguments = command.replace("${KIND}", environment_of(kind).get("KIND", "")).split()
    assert program == PARLEY
    parsed = command_line(COMMANDS).parse_args(arguments)
    assert parsed.command is COMMANDS[{"server": "serve", "worker": "worker"}[kind]]
    assert getattr(parsed, {"server": "port", "worker": "kind"}[kind]) in {8081, *KINDS}


@pytest.mark.parametrize("kind", UNITS)
def test_settings_are_known_and_what_is_written_is_in_folders_that_the_unit_has(kind):
    service, environment = unit(kind)["Service"], environment_of(kind)
    assert set(environment) <= SETTINGS | OF_OTHERS
    folders = {STATE: "StateDirectory", CACHE: "CacheDirectory", LOGS: "LogsDirectory"}
    for path in (value for value in environment.values() if value.startswith("/")):
        (found,) = (folder for folder in folders if path.startswith(folder))
        assert service[folders[found]] == ["parley"]
    assert service["EnvironmentFile"][0] == "/etc/parley/parley.env"
    assert (service["User"], service["Group"], service["ProtectSystem"]) == (["parley"], ["parley"], ["strict"])


def test_each_worker_may_have_settings_of_its_own():
    assert unit("worker")["Service"]["EnvironmentFile"][1] == "-/etc/parley/worker-diarization.env"


@pytest.mark.parametrize("kind", UNITS)
def test_nobody_is_kept_from_a_gpu_or_given_more_rights(kind):
    service = unit(kind)["Service"]
    assert not NOT_WITH_A_GPU & service.keys()
    assert (service["NoNewPrivileges"], service["CapabilityBoundingSet"]) == (["yes"], [""])


def test_each_has_the_time_that_it_takes_to_stop():
    worker, server = unit("worker")["Service"], unit("server")["Service"]
    assert float(worker["TimeoutStopSec"][0]) > RULES.grace_s
    assert float(server["TimeoutStopSec"][0]) > SHUTDOWN_S
    for service in (worker, server):
        assert (service["KillMode"], service["KillSignal"]) == (["mixed"], ["SIGTERM"])
    assert server["SuccessExitStatus"] == [str(EXIT_INTERRUPTED)]


@pytest.mark.parametrize("kind", UNITS)
def test_each_is_begun_again_unless_that_is_of_no_use(kind):
    service = unit(kind)["Service"]
    assert service["Restart"] == ["always"]
    assert service["RestartPreventExitStatus"] == [f"{EXIT_BAD_INPUT} {EX_CONFIG}"]


def test_the_example_settings_are_read_by_the_server():
    given = env_file()
    assert set(given) <= SETTINGS
    assert not [value for name, value in given.items() if re.search("TOKEN|KEY|SECRET", name) and value]
    server = load_server_settings({**environment_of("server"), **given})
    assert (server.port, server.trusted_proxies) == (8080, ("127.0.0.1/32",))
    assert (server.queue_url, server.url) == ("redis://127.0.0.1:6379", "http://127.0.0.1:8090")
    assert (server.storage_url, server.data_folder) == (f"{STATE}/files", Path(STATE))
    active = re.findall(r"^([A-Z_]+)=", (FOLDER / "parley.env").read_text(), re.MULTILINE)
    assert active == ["PARLEY_PROFILE", "DATA_FOLDER"]


@pytest.mark.parametrize("kind", UNITS)
def test_systemd_knows_all_of_it(kind, tmp_path):
    needed_program("systemd-analyze")
    name = f"parley-{kind}@.service"
    (tmp_path / f"{name}.d").mkdir()
    (tmp_path / f"{name}.d" / "override.conf").write_text(DROP_IN)
    (tmp_path / name).write_text((FOLDER / name).read_text().replace(PARLEY, "/bin/true"))
    command = ["systemd-analyze", "verify", "--man=no", str(tmp_path / name)]
    said = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert [line for line in said.stderr.splitlines() if name in line or "override.conf" in line] == []


@pytest.mark.parametrize("kind", UNITS)
def test_the_devices_of_a_gpu_are_made_by_one_with_the_rights_to_or_not_at_all(kind):
    assert unit(kind)["Service"]["ExecStartPre"] == ["-+/usr/bin/nvidia-modprobe -c0 -u"]
