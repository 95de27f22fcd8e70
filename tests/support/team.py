"""Several real `parley serve` behind the real nginx, with PostgreSQL, Redis, one storage, and workers they share."""

import functools
import os
import re
import select
import signal
import socket
import ssl
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil

from orchestrator.server.store.database import migrate, open_database
from orchestrator.server.store.job_store import JobStore
from orchestrator.server.store.keys import KeyStore
from tests.support.audio_files import melody, soundfile_bytes
from tests.support.nginx import (
    NAME,
    Nginx,
    Ports,
    make_certificate,
    own_folder,
    running_nginx,
    write_configuration,
)
from tests.support.postgres import cluster
from tests.support.redis_server import redis_server

PATIENCE_S = 60
MAX_AUDIO_BYTES = 12_000_000
RECORDING = soundfile_bytes(melody(16_000, seconds=1.0), 16_000)


@dataclass
class Team:
    """What a test sees of it."""

    folder: Path
    env: dict
    nginx: Nginx
    store: JobStore
    keys: KeyStore
    key: str
    servers: dict = field(default_factory=dict)  # their processes by port
    started: ExitStack = field(default_factory=ExitStack)
    begun: int = 0

    @property
    def url(self):
        return f"https://127.0.0.1:{self.nginx.ports['https']}"

    @functools.cached_property
    def tls(self):
        """What trusts the site's certificate alone."""
        return ssl.create_default_context(cafile=str(self.folder / "fullchain.pem"))

    def connection(self):
        """A connection to the site, to be written to by hand."""
        plain = socket.create_connection(("127.0.0.1", self.nginx.ports["https"]), timeout=30)
        return self.tls.wrap_socket(plain, server_hostname=NAME)

    def client(self, base_url=None, key=None, **headers):
        """A client of the site, or of one server, which trusts the site's certificate."""
        headers = {"Host": NAME, **({"Authorization": f"Bearer {key}"} if key else {}), **headers}
        options = {"headers": headers, "verify": self.tls, "timeout": 30, "trust_env": False}
        return self.started.enter_context(httpx.Client(base_url=base_url or self.url, **options))

    def member(self):
        return self.client(key=self.key)

    def each(self):
        """A client of every server, not through nginx."""
        return [self.client(f"http://127.0.0.1:{port}", self.key) for port in self.servers]

    def begin_server(self, port=0):
        """Start a server, and give its process, which does not listen yet."""
        self.begun += 1
        env = {**self.env, "LOG_FILE": str(self.folder / f"server-{self.begun}.log")}
        process = _started(["orchestrator.cli", "serve", "--port", str(port)], env, self.folder, stdout=subprocess.PIPE)
        self.started.callback(_ended, process)
        return process

    def listening(self, process):
        """Wait until a server listens; returns its port."""
        ready, _, _ = select.select([process.stdout], [], [], PATIENCE_S)
        line = process.stdout.readline() if ready else ""
        told = re.fullmatch(r"Parley is at http://127\.0\.0\.1:(\d+)\n", line)
        assert told, (self.folder / "serve.log").read_text()[-3000:]
        self.servers[int(told[1])] = process
        return int(told[1])

    def upload(self, name, *, wait=False, client=None):
        """Send a recording; `wait` until `go` is called. Returns the job's id."""
        hotwords = ["wait", name] if wait else [name]
        files = {"file": (f"{name}.wav", RECORDING)}
        answer = (client or self.member()).post("/api/upload", params={"hotwords": hotwords}, files=files)
        assert answer.status_code == 202, answer.text
        return answer.json()["job_id"]

    def go(self):
        (self.folder / "go").touch()

    @contextmanager
    def holding(self):
        """Keep the jobs that wait at work as long as the block lasts, or until `go`."""
        (self.folder / "go").unlink(missing_ok=True)
        try:
            yield
        finally:
            self.go()

    def until(self, condition):
        """Wait until `condition()` is true, and return what it gives."""
        deadline = time.monotonic() + PATIENCE_S
        while not (found := condition()):
            assert time.monotonic() < deadline, (self.folder / "serve.log").read_text()[-3000:]
            time.sleep(0.02)
        return found

    def runs_on(self, job_id):
        """The process id of the server that has a job, None where none has."""
        runner = self.store.get(job_id).runner
        return None if runner is None else int(runner.split("-")[-2])

    def ended(self, job_id):
        """The job, once it has ended."""
        return self.until(lambda: (job := self.store.get(job_id)).is_final and job)

    def port_of(self, pid):
        return next(port for port, process in self.servers.items() if process.pid == pid)

    def incoming(self):
        """Which server takes which upload: pairs of a port and a file."""
        return {
            (port, Path(file.path))
            for port, process in self.servers.items()
            for file in psutil.Process(process.pid).open_files()
            if "/incoming/upload-" in file.path
        }

    def diary(self):
        return (self.folder / "diary").read_text().splitlines()


@contextmanager
def running_team(folder, *, certificate):
    """Run two servers and two workers until the block ends; `certificate` is the command that makes one."""
    with ExitStack() as started:
        nginx_folder, as_user = started.enter_context(own_folder())
        queue = started.enter_context(redis_server())
        database = started.enter_context(cluster().database())
        ports = Ports()
        started.callback(ports.release)
        env = _environment(folder, database, queue.url, workers_port=ports["workers"])
        engine = open_database(database)
        started.callback(engine.dispose)
        migrate(engine)
        store, keys = (
            JobStore(engine, lease_s=3, max_queued=9, max_queued_per_owner=9, max_attempts=3),
            KeyStore(engine),
        )
        team = Team(folder, env, None, store, keys, keys.add("Ann")[1], started=started)
        servers = [team.begin_server(), team.begin_server()]
        workers = _started(["tests.support.patient_worker", str(folder)], env, folder, start_new_session=True)
        started.callback(_ended, workers)
        started.callback(os.killpg, workers.pid, signal.SIGKILL)
        instances = [team.listening(process) for process in servers]
        write_configuration(nginx_folder, ports, instances=instances)
        make_certificate(nginx_folder, certificate)
        (folder / "fullchain.pem").write_bytes((nginx_folder / "fullchain.pem").read_bytes())
        for path in nginx_folder.glob("*.pem"):
            path.chmod(0o644)
        team.nginx = started.enter_context(running_nginx(nginx_folder, as_user, ports))
        yield team


def _environment(folder, database, queue, *, workers_port):
    own = {name: value for name, value in os.environ.items() if not name.endswith("_ENDPOINT_ID")}
    return {
        **own,
        "DATA_FOLDER": str(folder / "data"),
        "DATABASE_URL": database,
        "STORAGE_URL": str(folder / "files"),
        "QUEUE_URL": queue,
        "SERVER_URL": f"http://127.0.0.1:{workers_port}",
        "TRUSTED_PROXIES": "127.0.0.1",
        "PARLEY_PROFILE": "laptop",
        "SERVER_JOBS_AT_ONCE": "1",
        "JOB_LEASE_SECONDS": "3",
        "MAX_AUDIO_BYTES": str(MAX_AUDIO_BYTES),
    }


def _started(module, env, folder, **options):
    command = [sys.executable, "-m", *module]
    with (folder / "serve.log").open("ab") as log:
        return subprocess.Popen(command, env=env, stderr=log, text=True, **options)


def _ended(process):
    if process.poll() is None:
        process.send_signal(signal.SIGKILL)
    process.wait(10)
    if process.stdout is not None:
        process.stdout.close()
