"""What the guide to hosting it yourself names is there: files, units, settings, ports, numbers."""

import re
import shlex
from pathlib import Path

import pytest
import yaml

from common.redis_queue import KINDS, QUEUE_URL
from common.runpod_loop import EX_CONFIG
from common.settings import VARIABLES, load_settings
from orchestrator.server.app import MAX_CONNECTIONS
from orchestrator.server.http.metrics import ServerMetrics
from orchestrator.server.settings import VARIABLES as SERVER_VARIABLES
from orchestrator.server.settings import load_server_settings
from orchestrator.server.store.database import CONNECTIONS, MORE_CONNECTIONS

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "self-hosting.md").read_text(encoding="utf-8")
PROSE = re.sub(r"```.*?```", "", GUIDE, flags=re.DOTALL)
SH, INI, YAML = (re.findall(rf"```{kind}\n(.*?)```", GUIDE, flags=re.DOTALL) for kind in ("sh", "ini", "yaml"))
INI = [block for block in INI if "[" not in block]  # the others are systemd's
SETTINGS = {variable.name for variable in (*VARIABLES, *SERVER_VARIABLES, QUEUE_URL)}
OF_OTHERS = {"HF_HUB_OFFLINE", "CUDA_VISIBLE_DEVICES", "KIND"}
RESERVED = 3  # of max_connections, for superusers
HTTP = {"PUT", "DELETE", "POST"}


def test_every_setting_is_one():
    named = set(re.findall(r"`([A-Z][A-Z_]{2,})(?:=[^`]*)?`", PROSE))
    named |= {line.partition("=")[0] for block in INI for line in block.splitlines()}
    assert named - SETTINGS - OF_OTHERS - HTTP == set()
    assert len(named) > 15


@pytest.mark.parametrize("block", INI)
def test_every_setting_has_a_value_that_is_read(block):
    given = dict(line.split("=", 1) for line in block.splitlines())
    server, settings = load_server_settings(given), load_settings(given)
    for name in given.keys() & {"QUEUE_URL", "SERVER_URL", "METRICS_PORT", "DATABASE_URL"}:
        read = (server.queue_url, server.url, server.database_url, str(settings.reports.metrics_port))
        assert given[name] in read


def test_every_file_is_there():
    table = re.search(r"\| file \| \|\n(.*?)\n\n", GUIDE, flags=re.DOTALL)[1]
    named = {path for row in table.splitlines() for path in re.findall(r"`([^`]+)`", row.split("|")[1])}
    kept = {str(path.relative_to(ROOT / "selfhost")) for path in (ROOT / "selfhost").rglob("*") if path.is_file()}
    assert named | {"nginx/instances-compose.conf"} == kept
    assert "`nginx/instances-compose.conf`" in GUIDE


def test_commands_name_what_is_there():
    lines = [line for block in SH for line in block.replace("\\\n", " ").splitlines()]
    for path in {one for line in lines for one in re.findall(r"/opt/parley/(selfhost/\S+)", line)}:
        assert (ROOT / path).exists(), path
    units = {one for line in lines for one in re.findall(r"parley-\w+@[\w$]+", line)}
    assert {unit.partition("@")[0] for unit in units} == {"parley-server", "parley-worker"}
    assert {unit.partition("@")[2] for unit in units if "worker" in unit} == set(KINDS)
    assert all(shlex.split(block, comments=True) for block in SH)


def test_ports_are_those_of_the_files():
    (job,) = yaml.safe_load(YAML[0])["scrape_configs"]
    instances = re.findall(r"^(?:# )?server (\S+) ", (ROOT / "selfhost/nginx/instances.conf").read_text(), re.MULTILINE)
    assert job["static_configs"] == [{"targets": instances}]
    assert all(f"parley-server@{one.partition(':')[2]}" in GUIDE for one in instances)
    workers = re.search(r"listen (127[\d.]+:\d+);", (ROOT / "selfhost/nginx/tls.conf").read_text())[1]
    assert f"SERVER_URL=http://{workers}\n" in GUIDE


def test_numbers_are_those_of_the_code():
    most = CONNECTIONS + MORE_CONNECTIONS
    assert f"holds up to {most} connections" in GUIDE
    assert 2 * most < 100 - RESERVED < 3 * most < 150 - RESERVED  # two with the default, three with more
    assert f"(exit code {EX_CONFIG})" in GUIDE
    assert f"a server takes {MAX_CONNECTIONS}." in GUIDE
    unit = (ROOT / "selfhost/systemd/parley-server@.service").read_text()
    assert "RestartSec=5\n" in unit
    assert "begun again five seconds after" in GUIDE


def test_the_metric_is_there():
    class Store:
        def counts(self):
            return {"queued": 2}

    assert b'parley_server_jobs{state="queued"} 2.0' in ServerMetrics(Store()).page()
    assert "`parley_server_jobs`" in GUIDE


def test_what_is_asked_of_nginx_is_in_its_files():
    paths = re.findall(r"certonly --webroot -w (\S+) ", GUIDE)
    assert len(paths) == 2
    assert set(paths) == {re.search(r"root (\S+);", (ROOT / "selfhost/nginx/tls.conf").read_text())[1]}
    named = [line for block in SH for line in block.splitlines() if "YOUR.NAME" in line]
    assert named == ["sudo sed -i 's/parley\\.example\\.org/YOUR.NAME/g' /etc/nginx/parley/tls.conf"]


def test_servers_are_numbered_as_nginx_knows_them_from_the_first_on():
    order = [line for block in SH for line in block.splitlines() if "parley-server@" in line and "systemctl" in line]
    assert [line.partition("systemctl ")[2] for line in order[:4]] == [
        "enable --now parley-server@8081",
        "restart parley-server@8081",
        "restart parley-server@8081",
        "enable --now parley-server@8082 parley-worker@diarization parley-worker@transcription",
    ]
    first, second = (ROOT / "selfhost/nginx/instances.conf").read_text().splitlines()[-2:]
    assert first.startswith("server 127.0.0.1:8081 ")
    assert second.startswith("# server 127.0.0.1:8082 ")
