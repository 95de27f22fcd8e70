"""What may be wrong with the web server of this machine, and the cure."""

import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import requests
from sqlalchemy import Engine

from common.errors import ParleyError
from common.redis_queue import connect, refuses
from orchestrator.doctor_models import Finding
from orchestrator.server.settings import ServerSettings
from orchestrator.server.store.database import open_existing, revision_state
from orchestrator.server.store.keys import KeyStore

MIN_FREE_BYTES = 2 * 1024**3


def server_findings(server: ServerSettings) -> Iterator[Finding]:
    """Yield one finding for each thing that `parley serve` needs."""
    yield _folder(server.data_folder)
    yield _database(server)
    yield _address(server)
    if server.queue_url:
        yield _queue(server.queue_url)


def _folder(folder: Path) -> Finding:
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    if not os.access(existing, os.W_OK):
        return Finding(what="server's data", seen=f"{folder} cannot be written", cure="set DATA_FOLDER to another one")
    free = shutil.disk_usage(existing).free
    cure = "free some space, or set DATA_FOLDER: recordings are kept there" if free < MIN_FREE_BYTES else ""
    return Finding(what="server's data", seen=f"{folder}, {free / 1024**3:.1f} GiB free", cure=cure)


def _database(server: ServerSettings) -> Finding:
    what = "server's database"
    kind = server.database_url.partition(":")[0].partition("+")[0]
    try:
        engine = open_existing(server.database_url)
        if engine is None:
            return Finding(what=what, seen=f"{kind}, made at the first start")
        try:
            return Finding(what=what, seen=f"{kind}, {_tables(engine)}")
        finally:
            engine.dispose()
    except ParleyError as error:
        return Finding(what=what, seen=kind, cure=error.message)


def _tables(engine: Engine) -> str:
    state = revision_state(engine)
    if state == "none":
        return "empty; its tables are made at the first start"
    if state == "older":
        return "an older Parley's; brought up to date at the next start"
    keys = [record for record in KeyStore(engine).all() if record.revoked_at is None]
    return f"{len(keys)} API keys"


def _address(server: ServerSettings) -> Finding:
    what, seen = "server's address", _shown(server)
    family = socket.AF_INET6 if ":" in server.host else socket.AF_INET
    try:
        with socket.create_server((server.host, server.port), family=family):
            return Finding(what=what, seen=f"{seen} is free")
    except OSError as error:
        if _is_parley(server):
            return Finding(what=what, seen=f"{seen}: a Parley server is running there")
        return Finding(what=what, seen=f"{seen}: {error.strerror}", cure="stop what listens there, or set SERVER_PORT")


def _is_parley(server: ServerSettings) -> bool:
    try:
        answer = requests.get(f"http://{_shown(server)}/api/session", timeout=2).json()
    except (requests.RequestException, ValueError):
        return False
    return isinstance(answer, dict) and "key_required" in answer


def _shown(server: ServerSettings) -> str:
    host = f"[{server.host}]" if ":" in server.host else server.host
    return f"{host}:{server.port}"


def _queue(url: str) -> Finding:
    try:
        client = connect(url)
    except ParleyError as error:
        return Finding(what="queue", seen="cannot be used", cure=error.message)
    from redis.exceptions import RedisError  # noqa: PLC0415 - it is there: `connect` needed it

    try:
        with client:
            client.ping()
    except RedisError as error:
        if refuses(error):
            return Finding(what="queue", seen="Redis lets nobody in", cure="check user and password in QUEUE_URL")
        return Finding(what="queue", seen="no answer", cure="check QUEUE_URL, and that Redis is running there")
    return Finding(what="queue", seen="Redis answers")
