"""A PostgreSQL of one's own: one throw-away cluster for all tests of a run, a new database for each that asks."""

import atexit
import functools
import os
import shutil
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

BINARIES = Path("/usr/lib/postgresql")
USER, PASSWORD = "parley", "secret-of-the-tests"
# Nothing here has to survive the machine: no waiting for its disk.
SETTINGS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "shared_buffers": "16MB"}
START_S = 60


@dataclass(frozen=True, slots=True)
class Cluster:
    """A running server on a loopback port."""

    port: int

    def url(self, database: str, *, password: str = PASSWORD) -> str:
        return f"postgresql+psycopg://{USER}:{password}@127.0.0.1:{self.port}/{database}"

    def run(self, statement: str) -> None:
        url = self.url("postgres").replace("+psycopg", "")
        with psycopg.connect(url, autocommit=True, connect_timeout=5) as connection:
            connection.execute(statement)

    @contextmanager
    def database(self, *, template: str = "template1") -> Iterator[str]:
        """Make a database, and give its URL."""
        name = f"test_{uuid.uuid4().hex}"
        self.run(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        try:
            yield self.url(name)
        finally:
            self.run(f'DROP DATABASE "{name}" WITH (FORCE)')


@functools.cache
def cluster() -> Cluster:
    """Return the cluster of this run; skips the test where PostgreSQL is not installed, and fails there under CI."""
    programs = _programs()
    folder = Path(tempfile.mkdtemp(prefix="parley-pg-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    as_user = _not_root(folder)
    (folder / "password").write_text(PASSWORD)
    made = (f"--username={USER}", f"--pwfile={folder / 'password'}", "--auth=scram-sha-256", "--encoding=UTF8")
    _call(*as_user, str(programs / "initdb"), "-D", str(folder / "data"), "--locale=C", "--no-sync", *made)
    port = _free_port()
    settings = {**SETTINGS, "port": port, "listen_addresses": "127.0.0.1", "unix_socket_directories": folder}
    options = [text for name, value in settings.items() for text in ("-c", f"{name}={value}")]
    server = subprocess.Popen(
        (*as_user, *_ending_with_us(as_user), str(programs / "postgres"), "-D", str(folder / "data"), *options),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
    )
    atexit.register(server.wait)
    atexit.register(server.terminate)
    _wait_until_it_answers(found := Cluster(port), server)
    return found


def _programs() -> Path:
    found = sorted(path.parent for path in BINARIES.glob("*/bin/initdb"))
    found += [Path(path).parent for path in [shutil.which("initdb")] if path]
    if not found:
        if os.environ.get("CI") == "true":
            raise FileNotFoundError("initdb")
        pytest.skip("PostgreSQL is not installed: install the system's package postgresql")
    return found[-1]


def _not_root(folder: Path) -> tuple[str, ...]:
    """Return how a program is started that refuses to run as root, and give it the folder."""
    if os.geteuid() != 0:
        return ()
    shutil.chown(folder, "postgres", "postgres")
    folder.chmod(0o755)
    return ("setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups")


def _ending_with_us(as_user: tuple[str, ...]) -> tuple[str, ...]:
    """Return how the server ends should this process be killed."""
    if as_user:
        return ("--pdeathsig=QUIT",)
    return ("setpriv", "--pdeathsig=QUIT") if shutil.which("setpriv") else ()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def _call(*command: str) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=START_S, cwd="/")


def _wait_until_it_answers(started: Cluster, server: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + START_S
    while True:
        try:
            return started.run("SELECT 1")
        except psycopg.OperationalError:
            if server.poll() is not None or time.monotonic() > deadline:
                raise
            time.sleep(0.05)
