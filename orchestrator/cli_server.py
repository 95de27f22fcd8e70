"""The commands of one's own server: serve, keys, worker."""

import argparse
import asyncio
import contextlib
import os
import sys
from datetime import UTC, datetime
from typing import NoReturn

from common.errors import InvalidInputError
from common.logs import set_up_logs
from orchestrator.cli_client import log_folder
from orchestrator.cli_output import EXIT_OK
from orchestrator.server.app import make_app, serve
from orchestrator.server.assembly import Assembled, assembled, settings_of_server
from orchestrator.server.log_file import log_file
from orchestrator.server.settings import SERVER_HOST, SERVER_PORT, ServerSettings, load_server_settings
from orchestrator.server.store.database import migrate, open_database
from orchestrator.server.store.keys import KeyStore


async def run_serve(arguments: argparse.Namespace) -> int:
    """Run the web server until told to stop."""
    given = {SERVER_HOST.name: arguments.host, SERVER_PORT.name: arguments.port}
    env = {**os.environ, **{name: str(value) for name, value in given.items() if value is not None}}
    settings, server = settings_of_server(env), load_server_settings(env)
    set_up_logs(log_format=settings.reports.log_format)
    async with contextlib.AsyncExitStack() as stack:
        if server.log_file is not None:
            stack.enter_context(log_file(server.log_file, log_format=settings.reports.log_format))
        parts = await stack.enter_async_context(assembled(settings, server, env=env, log_folder=log_folder()))
        serving = asyncio.create_task(_serve(parts, server))
        tasks = [serving] if parts.workers is None else [serving, parts.workers]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                if task.done():
                    task.result()
        finally:
            serving.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await serving
    return EXIT_OK


async def _serve(parts: Assembled, server: ServerSettings) -> None:
    links = parts.context.audio_links

    def ready(url: str) -> None:
        links.base_url = links.base_url or url
        print(f"Parley is at {url}", flush=True)
        if parts.workers is not None:
            sys.stderr.write("the models are being loaded; recordings that come now wait for them. Ctrl-C stops.\n")

    await serve(make_app(parts.context), host=server.host, port=server.port, on_ready=ready)


async def run_keys(arguments: argparse.Namespace) -> int:
    """Make, list or revoke the API keys of the web server."""
    return await asyncio.to_thread(_keys, arguments)


def _keys(arguments: argparse.Namespace) -> int:
    engine = open_database(load_server_settings(os.environ).database_url)
    try:
        migrate(engine)
        keys = KeyStore(engine)
        if arguments.action == "list":
            for record in keys.all():
                made = datetime.fromtimestamp(record.created_at, UTC).date()
                print(f"{record.id}  {made}  {'revoked' if record.revoked_at else 'valid':<8}{record.name}")
            return EXIT_OK
        if not arguments.name:
            raise InvalidInputError(f"say whose key: parley keys {arguments.action} NAME", param="name")
        if arguments.action == "add":
            _, plain = keys.add(arguments.name)
            print(plain)
            sys.stderr.write("this is the only time that the key is shown; send it as `Authorization: Bearer KEY`\n")
            return EXIT_OK
        if not keys.revoke(arguments.name):
            raise InvalidInputError("there is no valid key of that name or id; see parley keys list", param="name")
        return EXIT_OK
    finally:
        engine.dispose()


async def run_worker(arguments: argparse.Namespace) -> NoReturn:
    """Become the Redis worker of one kind; this process is replaced by it."""
    command = [sys.executable, "-m", "handlers.redis_worker", arguments.kind]
    os.execv(sys.executable, command)  # noqa: S606 - our own module, no shell


SERVER_COMMANDS = {"serve": run_serve, "keys": run_keys, "worker": run_worker}
