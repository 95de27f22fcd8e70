"""A Redis server of its own for tests: started on a socket in a folder of its own, stopped, killed, started again."""

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError

from tests.support.optional import needed_program

START_TIMEOUT_S = 20


class RedisServer:
    """One `redis-server` that keeps what it has, also when it is killed."""

    def __init__(self, folder: Path, *, password: str = "") -> None:
        self.folder = folder
        self.password = password
        self.socket = folder / "redis.sock"
        self.url = f"unix://{f':{password}@' if password else ''}{self.socket}"
        self.client = Redis(unix_socket_path=str(self.socket), password=password or None)
        self._process: subprocess.Popen | None = None

    def start(self) -> None:
        options = {"port": 0, "unixsocket": self.socket, "dir": self.folder, "appendonly": "yes", "save": ""}
        command = ["redis-server", *(part for name, value in options.items() for part in (f"--{name}", str(value)))]
        command += ["--requirepass", self.password] if self.password else []
        with (self.folder / "redis.log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        patient_until = time.monotonic() + START_TIMEOUT_S
        while not self._answers():
            assert time.monotonic() < patient_until, (self.folder / "redis.log").read_text()
            time.sleep(0.02)

    def _answers(self) -> bool:
        try:
            return bool(self.client.ping())
        except RedisError:
            return False

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None
        self.client.connection_pool.disconnect()

    def forget_everything(self) -> None:
        """Be killed as a server that keeps nothing on disk."""
        self.kill()
        shutil.rmtree(self.folder / "appendonlydir")


@contextmanager
def redis_server(*, password: str = "") -> Iterator[RedisServer]:
    needed_program("redis-server")
    folder = Path(tempfile.mkdtemp(prefix="redis"))  # short: a socket's path has at most 107 characters
    server = RedisServer(folder, password=password)
    server.start()
    try:
        yield server
    finally:
        server.kill()
        server.client.close()
        shutil.rmtree(folder)
