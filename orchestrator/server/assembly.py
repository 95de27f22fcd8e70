"""The parts of a server put together by its settings."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import aiohttp

from common.errors import ConfigurationError
from common.naming.unnamed_speakers import names_asked_of
from common.settings import ALLOW_PRIVATE, PROFILE, Settings, load_settings
from orchestrator.client_async import AsyncParley
from orchestrator.redis_endpoint import redis_endpoints
from orchestrator.server.audio_links import AudioLinks
from orchestrator.server.backends import Backend, OwnWorkers, RunPodBackend
from orchestrator.server.context import ServerContext
from orchestrator.server.local_workers import local_workers
from orchestrator.server.runner import Runner
from orchestrator.server.settings import SERVER_HOST, TRUSTED_PROXIES, ServerSettings
from orchestrator.server.store.database import migrate, open_database
from orchestrator.server.store.files import FileStore, open_files
from orchestrator.server.store.job_store import JobStore
from orchestrator.server.store.keys import KeyStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Assembled:
    """A server's parts, and the task of its workers, if they are its own, which ends only with an error."""

    context: ServerContext
    workers: "asyncio.Task[None] | None" = None


def settings_of_server(env: Mapping[str, str]) -> Settings:
    """Return the settings of all else: the bundled models unless others are named, no private addresses unless said."""
    return load_settings({PROFILE.name: "laptop", ALLOW_PRIVATE.name: "0", **env})


@asynccontextmanager
async def assembled(
    settings: Settings, server: ServerSettings, *, env: Mapping[str, str], log_folder: Path
) -> AsyncIterator[Assembled]:
    """Open the database and the storage, and start or find the workers; raises ConfigurationError.

    Workers are those behind `server.queue_url`, else the configured endpoints, else started on this machine.
    """
    await asyncio.to_thread(server.data_folder.mkdir, parents=True, exist_ok=True, mode=0o700)
    engine = await asyncio.to_thread(open_database, server.database_url)
    try:
        await asyncio.to_thread(migrate, engine)
        store = JobStore(
            engine,
            lease_s=server.job_lease_s,
            max_queued=server.max_queued,
            max_queued_per_owner=server.max_queued_per_key,
            max_attempts=server.job_attempts,
        )
        keys = KeyStore(engine)
        if server.reached_by_others and not await asyncio.to_thread(keys.any):
            raise _no_key(server)
        files = await asyncio.to_thread(
            open_files, server.storage_url, settings.storage, incoming=server.data_folder / "incoming"
        )
        links = AudioLinks(await asyncio.to_thread(store.secret), base_url=server.url)
        async with AsyncExitStack() as stack:
            backend, workers = await _backend(stack, settings, server, files, links, env=env, log_folder=log_folder)
            if isinstance(backend, RunPodBackend) and not server.jobs_at_once:
                server = replace(server, jobs_at_once=settings.endpoints.concurrency)
            runner = Runner(store, files, backend, settings=settings, server=server)
            context = ServerContext(
                settings=settings,
                server=server,
                store=store,
                keys=keys,
                files=files,
                runner=runner,
                audio_links=links,
            )
            yield Assembled(context=context, workers=workers)
    finally:
        await asyncio.to_thread(engine.dispose)


def _no_key(server: ServerSettings) -> ConfigurationError:
    how = "through a proxy" if server.on_loopback else f"on {server.host}"
    alone = TRUSTED_PROXIES if server.on_loopback else SERVER_HOST
    return ConfigurationError(
        f"a server that others can reach {how} needs an API key: make one with `parley keys add NAME`, or leave "
        f"{alone.name} as it is by default",
        param=alone.name,
    )


async def _backend(
    stack: AsyncExitStack,
    settings: Settings,
    server: ServerSettings,
    files: FileStore,
    links: AudioLinks,
    *,
    env: Mapping[str, str],
    log_folder: Path,
) -> tuple[Backend, "asyncio.Task[None] | None"]:
    if server.queue_url:
        session = await stack.enter_async_context(aiohttp.ClientSession())
        endpoints = await stack.enter_async_context(redis_endpoints(server.queue_url))
        return OwnWorkers(settings, **endpoints, links=links, naming=names_asked_of(settings.naming, session)), None
    remote = settings.endpoints
    if remote.orchestrator_id or remote.diarization_id or remote.transcription_id:
        return RunPodBackend(settings, await stack.enter_async_context(AsyncParley(settings)), files), None
    return await stack.enter_async_context(local_workers(settings, links, env=env, log_folder=log_folder))
