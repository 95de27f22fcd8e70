"""The whole of Parley on this machine: the local platform and the three real workers behind it."""

import os
import secrets
import sys
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from common.settings import METRICS_PORT, PROFILE, Settings, load_settings
from orchestrator.local.platform import LocalPlatform, PlatformSettings
from orchestrator.local.supervisor import Supervisor, WorkerCommand

WORKER_MODULES = {
    "diarization": "handlers.diarization.handler",
    "transcription": "handlers.transcription.handler",
    "orchestrator": "orchestrator.handler",
}
OWN_ENV = {"PYTHONUNBUFFERED": "1", METRICS_PORT.name: "0"}  # three workers cannot have one port
READY_TIMEOUT_S = 1800.0  # a full-size model may have to be downloaded first


@asynccontextmanager
async def local_stack(
    log_folder: Path,
    *,
    env: Mapping[str, str],
    api_key: str = "",
    port: int = 0,
    workers: Collection[str] = tuple(WORKER_MODULES),
    courtesy: Sequence[str] = (),
) -> AsyncIterator[Settings]:
    """Run platform and `workers`; yields the settings a client needs, once every worker takes jobs.

    `courtesy` is a command before those of the workers, as `nice`.

    Workers get `env` with the laptop profile unless it names another. Raises ConfigurationError with the worker's own
    words when one cannot start.
    """
    api_key = api_key or secrets.token_urlsafe(16)
    base_env = {PROFILE.name: "laptop", **env}
    async with LocalPlatform(tuple(workers), PlatformSettings(port=port, api_key=api_key)) as platform:
        client_env = _client_env(platform.base_url, api_key, workers)
        commands = [
            WorkerCommand(
                endpoint_id=endpoint_id,
                argv=(*courtesy, sys.executable, "-m", WORKER_MODULES[endpoint_id]),
                env={**os.environ, **base_env, **client_env, **OWN_ENV},
            )
            for endpoint_id in workers
        ]
        async with Supervisor(platform, commands, log_folder=log_folder) as supervisor:
            await supervisor.wait_ready(READY_TIMEOUT_S)
            yield load_settings({**base_env, **client_env})


def _client_env(base_url: str, api_key: str, workers: Collection[str]) -> dict[str, str]:
    ids = {f"{name.upper()}_ENDPOINT_ID": name if name in workers else "" for name in WORKER_MODULES}
    return {"RUNPOD_BASE_URL": base_url, "RUNPOD_API_KEY": api_key, **ids}
