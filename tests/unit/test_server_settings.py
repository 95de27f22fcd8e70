from pathlib import Path

import pytest

from common.errors import ConfigurationError
from orchestrator.server.assembly import settings_of_server
from orchestrator.server.settings import load_server_settings


def test_a_fresh_server_is_on_loopback_with_all_its_data_in_one_folder(tmp_path):
    server = load_server_settings({"DATA_FOLDER": str(tmp_path)})
    assert (server.host, server.port, server.on_loopback) == ("127.0.0.1", 8080, True)
    assert server.database_url == f"sqlite:///{tmp_path}/jobs.sqlite3"
    assert server.storage_url == f"{tmp_path}/files"
    assert server.log_file == tmp_path / "logs" / "server.log"
    assert (server.keep_audio, server.retention_s, server.jobs_at_once) == (True, 30 * 24 * 3600.0, 0)


def test_the_folder_may_be_in_the_users_home():
    assert load_server_settings({"DATA_FOLDER": "~/parley"}).data_folder == Path.home() / "parley"


@pytest.mark.parametrize(
    ("host", "alone"),
    [
        *[(host, True) for host in ("127.0.0.1", "127.8.9.1", "::1", "localhost")],
        *[(host, False) for host in ("0.0.0.0", "::", "192.168.1.4", "parley.example.com")],
    ],
)
def test_which_addresses_only_this_machine_can_reach(host, alone):
    server = load_server_settings({"SERVER_HOST": host})
    assert (server.on_loopback, server.reached_by_others) == (alone, not alone)


def test_a_proxy_lets_others_reach_a_server_on_loopback():
    server = load_server_settings({"TRUSTED_PROXIES": "127.0.0.1"})
    assert (server.on_loopback, server.reached_by_others) == (True, True)


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_postgresql_may_be_written_as_hosting_companies_do(scheme):
    server = load_server_settings({"DATABASE_URL": f"{scheme}://me:secret@db/parley"})
    assert server.database_url == "postgresql+psycopg://me:secret@db/parley"
    assert "secret" not in repr(server)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "mysql://db/parley"),
        ("SERVER_PORT", "70000"),
        ("SERVER_JOBS_AT_ONCE", "-1"),
        ("JOB_LEASE_SECONDS", "0.2"),
        ("RETENTION_HOURS", "-1"),
        ("KEEP_AUDIO", "maybe"),
        ("SERVER_URL", "server:8080"),
        ("TRUSTED_PROXIES", "*"),
        ("TRUSTED_PROXIES", "127.0.0.1, proxy"),
    ],
)
def test_a_wrong_value_is_named(name, value):
    with pytest.raises(ConfigurationError) as failure:
        load_server_settings({name: value})
    assert failure.value.param == name


def test_origins_are_a_list():
    server = load_server_settings({"CORS_ORIGINS": "https://a.example.com, https://b.example.com,"})
    assert server.cors_origins == ("https://a.example.com", "https://b.example.com")


def test_proxies_are_addresses_and_networks():
    assert load_server_settings({}).trusted_proxies == ()
    server = load_server_settings({"TRUSTED_PROXIES": "127.0.0.1, 10.0.0.0/8, ::1"})
    assert server.trusted_proxies == ("127.0.0.1/32", "10.0.0.0/8", "::1/128")


def test_a_server_runs_the_bundled_models_and_fetches_nothing_private_unless_told():
    settings = settings_of_server({})
    assert (settings.profile, settings.limits.allow_private_addresses) == ("laptop", False)
    told = settings_of_server({"PARLEY_PROFILE": "runpod", "ALLOW_PRIVATE_ADDRESSES": "1"})
    assert (told.profile, told.limits.allow_private_addresses) == ("runpod", True)
