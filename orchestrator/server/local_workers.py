"""Workers on this machine, started beside the server: jobs that come before these are ready wait for them."""

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from common.naming.unnamed_speakers import names_asked_of
from common.progress import OnProgress
from common.settings import ALLOW_PRIVATE, Settings
from orchestrator.children import OnFound
from orchestrator.endpoints import configured_endpoint
from orchestrator.local.stack import local_stack
from orchestrator.server.audio_links import AudioLinks
from orchestrator.server.backends import OwnWorkers, identity_of, models_of
from orchestrator.server.jobs import Job

WORKERS = ("diarization", "transcription")


class LocalWorkers:
    """The backend of one machine; see Backend."""

    def __init__(self, settings: Settings) -> None:
        self.models = models_of(settings)
        self.identity = identity_of(settings)
        self._ready: asyncio.Future[OwnWorkers] = asyncio.get_running_loop().create_future()

    async def run(
        self,
        job: Job,
        *,
        earlier: Mapping[str, Any] | None,
        on_progress: OnProgress,
        on_found: OnFound,
        deadline_s: float,
    ) -> dict[str, Any]:
        """See Backend.run; waits until the workers are ready."""
        workers = await asyncio.shield(self._ready)
        return await workers.run(
            job, earlier=earlier, on_progress=on_progress, on_found=on_found, deadline_s=deadline_s
        )

    async def health(self) -> dict[str, Any]:
        """Return the queue and the workers of both kinds."""
        return await self._ready.result().health() if self._ready.done() else {"state": "starting"}

    async def keep(self, settings: Settings, links: AudioLinks, *, env: Mapping[str, str], log_folder: Path) -> None:
        """Run the workers until cancelled; raises ConfigurationError when one cannot start."""
        own_env = {**env, ALLOW_PRIVATE.name: "1"}  # they are given this server's addresses alone
        async with (
            local_stack(log_folder, env=own_env, workers=WORKERS, courtesy=_courtesy()) as reached,
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session,
        ):
            self._ready.set_result(
                OwnWorkers(
                    settings,
                    diarization=configured_endpoint(reached.endpoints, "diarization", session),
                    transcription=configured_endpoint(reached.endpoints, "transcription", session),
                    links=links,
                    naming=names_asked_of(settings.naming, session),
                )
            )
            await asyncio.Event().wait()


def _courtesy() -> tuple[str, ...]:
    """Return what lets the server answer while the models have all cores."""
    nice = shutil.which("nice")
    return () if nice is None else (nice, "-n", "5")


@asynccontextmanager
async def local_workers(
    settings: Settings, links: AudioLinks, *, env: Mapping[str, str], log_folder: Path
) -> AsyncIterator[tuple[LocalWorkers, "asyncio.Task[None]"]]:
    """Start the workers; yields the backend at once, and the task that ends with an error when one cannot start."""
    backend = LocalWorkers(settings)
    keeper = asyncio.create_task(backend.keep(settings, links, env=env, log_folder=log_folder))
    try:
        yield backend, keeper
    finally:
        keeper.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await keeper
