"""The real nginx with the repository's configuration, of which nothing is changed but addresses, ports and paths."""

import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.optional import needed_program

SELFHOST = Path(__file__).parents[2] / "selfhost"
NAME = "parley.example.org"
START_S = 20
GUIDE = (SELFHOST.parent / "docs" / "self-hosting.md").read_text(encoding="utf-8")
SECOND = re.search(r"^sudo (sed .*/instances.conf)$", GUIDE, re.MULTILINE)[1]  # how the second server is added
TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
MAIN = """
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
worker_processes 2;
events {{ worker_connections 256; }}
http {{
    access_log off;
    {temporary}
    include parley/{servers};
}}
"""


@dataclass(frozen=True, slots=True)
class Nginx:
    """Where it listens and what it writes."""

    folder: Path
    ports: "Ports"
    process: subprocess.Popen

    def log(self):
        """The lines of the access log, in words."""
        return [line.split() for line in (self.folder / "access.log").read_text().splitlines()]

    def errors(self):
        """What the error log says."""
        return (self.folder / "error.log").read_text()

    def spooled(self):
        """What it keeps of bodies on the disk."""
        return [path for name in TEMPORARY for path in (self.folder / name).rglob("*") if path.is_file()]


def replaced(text, changes):
    """Return `text` with every key of `changes` replaced, each of which it must have."""
    for old, new in changes.items():
        assert old in text, old
        text = text.replace(old, new)
    return text


def make_certificate(folder, command):
    """Run the guide's command for a certificate of one's own, in `folder`."""
    needed_program("openssl")
    subprocess.run(["bash", "-euc", command], cwd=folder, check=True, capture_output=True, timeout=30)


class Ports:
    """Ports that are nobody else's until nginx listens on them: what holds them is let go just before."""

    def __init__(self, names=("http", "https", "workers")):
        self._held = {name: socket.socket() for name in names}
        for one in self._held.values():
            one.bind(("127.0.0.1", 0))
        self.named = {name: one.getsockname()[1] for name, one in self._held.items()}

    def __getitem__(self, name):
        return self.named[name]

    def release(self):
        for one in self._held.values():
            one.close()


@contextmanager
def own_folder():
    """A folder that nginx can use, which does not run as root here; gives it and how nginx is started."""
    needed_program("nginx")
    folder = Path(tempfile.mkdtemp(prefix="parley-nginx-"))
    try:
        yield folder, _not_root(folder)
    finally:
        shutil.rmtree(folder)


def write_configuration(folder, ports, *, servers="tls.conf", instances=(8081, 8082)):
    """Put the configuration into `folder` as a user would into /etc/nginx, with two servers, for these ports."""
    parley = Path(shutil.copytree(SELFHOST / "nginx", folder / "parley"))
    second = replaced(SECOND, {"/etc/nginx/parley": str(parley)})
    subprocess.run(["bash", "-euc", second], check=True, timeout=30)
    for old, new in zip((8081, 8082), instances, strict=True):
        _edit(parley / "instances.conf", {f"server 127.0.0.1:{old} ": f"server 127.0.0.1:{new} "})
    _edit(parley / "workers.conf", {"/var/log/nginx/error.log": f"{folder}/error.log"})
    _edit(parley / servers, {"tls.conf": _with_tls, "plain.conf": _plain}[servers](folder, ports))
    temporary = " ".join(f"{name}_temp_path {folder}/{name};" for name in TEMPORARY)
    (folder / "nginx.conf").write_text(MAIN.format(folder=folder, servers=servers, temporary=temporary))


def checked(folder, as_user):
    """What `nginx -t` says."""
    command = (*as_user, "nginx", "-t", "-e", f"{folder}/error.log", "-c", f"{folder}/nginx.conf")
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False).stderr


@contextmanager
def running_nginx(folder, as_user, ports):
    """Run it until the block ends, for which it gets its ports."""
    ports.release()
    command = (*as_user, "nginx", "-e", f"{folder}/error.log", "-c", f"{folder}/nginx.conf")
    with subprocess.Popen(command, cwd=folder, stderr=subprocess.DEVNULL) as process:
        try:
            _wait_until_it_listens(ports["http"], process, folder)
            yield Nginx(folder, ports, process)
        finally:
            process.terminate()


def _with_tls(folder, ports):
    return {
        "listen 80;": f"listen 127.0.0.1:{ports['http']};",
        "listen 443 ssl http2;": f"listen 127.0.0.1:{ports['https']} ssl http2;",
        "listen 127.0.0.1:8090;": f"listen 127.0.0.1:{ports['workers']};",
        f"/etc/letsencrypt/live/{NAME}": str(folder),
        "/var/log/nginx/parley.log": f"{folder}/access.log",
        "/var/www/html": f"{folder}/html",
    }


def _plain(folder, ports):
    return {
        "listen 8080;": f"listen 127.0.0.1:{ports['http']};",
        "listen 8090;": f"listen 127.0.0.1:{ports['workers']};",
        "/dev/stdout": f"{folder}/access.log",
    }


def _edit(path, changes):
    path.write_text(replaced(path.read_text(), changes))


def _not_root(folder):
    if os.geteuid() != 0:
        return ()
    folder.chmod(0o755)
    shutil.chown(folder, "nobody", "nogroup")
    return ("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups")


def _wait_until_it_listens(port, process, folder):
    deadline = time.monotonic() + START_S
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=5).close()
        except OSError:
            assert process.poll() is None, (folder / "error.log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.02)
