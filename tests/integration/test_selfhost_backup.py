"""The guide's commands for the first key, for backups and for restoring them, run as they stand there."""

import os
import re
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from common.settings import StorageSettings
from orchestrator.server.store.database import migrate, open_database
from orchestrator.server.store.files import open_files
from orchestrator.server.store.job_store import JobStore
from orchestrator.server.store.keys import KeyStore
from tests.support.job_stores import LIMITS, empty_database, migrated_database, new_job
from tests.support.nginx import replaced
from tests.support.optional import needed_program

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "self-hosting.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```sh\n(.*?)```", GUIDE, flags=re.DOTALL)
DATABASE = "postgresql://parley:PASSWORD@127.0.0.1/parley"
# Without root: nothing changes owners, and a command gets the settings of its EnvironmentFile.
STUBS = """
sudo() { [ "$1" = chown ] || "$@"; }
systemd-run() {
    while [[ $1 == --* ]]; do [[ $1 != *EnvironmentFile=* ]] || settings=$(grep '^[A-Z]' "${1##*=}"); shift; done
    env $settings "$@"
}
"""
AUDIO, RESULT = "audio/0123-00000000", "results/0123-00000000.json"


def block(word):
    """The commands with that word in them."""
    (found,) = [one for one in BLOCKS if word in one]
    return found


def run(commands, folder, **env):
    command = ["bash", "-euc", STUBS + commands]
    return subprocess.run(command, cwd=folder, env={**os.environ, **env}, check=True, capture_output=True, timeout=120)


class Place:
    """A machine's folders under one of the test's, and a database."""

    def __init__(self, folder, url):
        self.folder, self.state = folder, folder / "lib" / "parley"
        self.state.mkdir(parents=True)
        self.files = open_files(str(self.state / "files"), StorageSettings())
        self.url, self.engine = url, open_database(url)
        self.store = JobStore(self.engine, **LIMITS)

    def run(self, *words):
        """Run the guide's commands that have these words in them; the backup is of a day that the guide names."""
        changes = {
            "/var/lib/parley": str(self.state),
            "/var/backups/parley": str(self.folder.parent / "backups" / "parley"),
            DATABASE: self.url.replace("+psycopg", ""),
            "$(date +%F)": "2026-01-31",
        }
        for word in words:
            found = block(word)
            run(replaced(found, {old: new for old, new in changes.items() if old in found}), self.folder)

    def edit(self, ended):
        """Save corrections again and again, as the server does: a new file, its name, and the one before is removed."""
        version, before = 0, None
        while not ended.is_set():
            version, name = version + 1, f"edits/0123-{version:08x}.json"
            self.files.put_bytes(str(version).encode(), name)
            assert self.store.save_edits("0123", edits=name, version=version - 1) == version
            if before is not None:
                self.files.delete(before)
            before = name


@contextmanager
def place(folder, url):
    made = Place(folder, url)
    try:
        yield made
    finally:
        made.engine.dispose()


def filled(old):
    """Put one job that has ended, and a key, into a database; returns the key."""
    old.files.put_bytes(b"RIFF", AUDIO)
    old.files.put_bytes(b"{}", RESULT)
    old.store.add(new_job(id="0123", audio=AUDIO))
    old.store.claim("runner")
    assert old.store.complete("0123", runner="runner", result=RESULT)
    return KeyStore(old.engine).add("Ada")[1], old.store.secret()


def backed_up(old, word):
    """Make a backup while corrections are saved as fast as that is possible."""
    ended = threading.Event()
    with ThreadPoolExecutor(1) as editors:
        editing = editors.submit(old.edit, ended)
        while not old.store.get("0123").edits_version and not editing.done():
            time.sleep(0.01)
        try:
            old.run(word)
        finally:
            ended.set()
        editing.result()


def check(new, key, secret):
    job = new.store.get("0123")
    assert (job.state, job.owner) == ("completed", "anna")
    assert job.edits_version > 0
    for name, content in ((job.audio, b"RIFF"), (job.result, b"{}"), (job.edits, str(job.edits_version).encode())):
        with new.files.open(name) as file:
            assert file.read() == content
    assert KeyStore(new.engine).find(key).name == "Ada"
    assert new.store.secret() == secret


def test_what_was_in_postgresql_is_there_again(tmp_path):
    needed_program("pg_dump")
    with migrated_database("postgresql", tmp_path) as url, place(tmp_path / "old", url) as old:
        known = filled(old)
        backed_up(old, "pg_dump")
        with empty_database("postgresql", tmp_path) as empty, place(tmp_path / "new", empty) as new:
            new.run("pg_restore --no-owner", "tar --extract")
            check(new, *known)


def test_what_was_in_sqlite_is_there_again(tmp_path):
    url = f"sqlite:///{tmp_path}/old/lib/parley/jobs.sqlite3"
    with migrated_database("sqlite", tmp_path), place(tmp_path / "old", url) as old:
        migrate(old.engine)
        known = filled(old)
        backed_up(old, "import os, sqlite3")
    url = f"sqlite:///{tmp_path}/new/lib/parley/jobs.sqlite3"
    with place(tmp_path / "new", url) as new:
        new.run("jobs.sqlite3-wal", "tar --extract")
        check(new, *known)


def test_the_first_key_is_made_with_the_servers_settings(tmp_path):
    example = (ROOT / "selfhost" / "systemd" / "parley.env").read_text()
    (tmp_path / "parley.env").write_text(replaced(example, {"=/var/lib/parley\n": f"={tmp_path}/data\n"}))
    parley = f"{sys.executable} -m orchestrator.cli"
    there = {
        "/etc/parley/parley.env": str(tmp_path / "parley.env"),
        "/opt/parley/.venv/bin/parley": parley,
    }
    env = {"PYTHONPATH": str(ROOT), "DATABASE_URL": ""}
    key = run(replaced(block("keys add"), there), tmp_path, **env).stdout.decode().strip()
    engine = open_database(f"sqlite:///{tmp_path}/data/jobs.sqlite3")
    assert KeyStore(engine).find(key).name == "Ada"
    engine.dispose()
