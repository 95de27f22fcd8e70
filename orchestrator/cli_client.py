"""The client that a command works with, its settings from the environment, and the checks before it does."""

import argparse
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

from common.contract import OrchestrationRequest, Request, parse_request
from common.naming.unnamed_speakers import check_naming
from common.settings import PROFILE, Settings, load_settings
from orchestrator.client import AsyncParley
from orchestrator.local.stack import local_stack


@contextlib.asynccontextmanager
async def command_client(*, local: bool) -> AsyncIterator[AsyncParley]:
    """Provide a client of the configured endpoints, or of workers started for it on this machine."""
    async with contextlib.AsyncExitStack() as stack:
        settings: Settings | None = None
        if local:
            sys.stderr.write("starting the local workers…\n")
            settings = await stack.enter_async_context(local_stack(log_folder(), env=os.environ))
        yield await stack.enter_async_context(AsyncParley(settings or load_settings(os.environ)))


def check_request(kind: type[Request], arguments: argparse.Namespace, audio: str, fields: Mapping[str, Any]) -> None:
    """Raise InvalidInputError for what cannot be met, before anything is started or sent."""
    request = parse_request(kind, {**fields, "audio": audio})
    if arguments.local and isinstance(request, OrchestrationRequest):
        check_naming(request, available=bool(local_settings().naming.url))


def local_settings() -> Settings:
    """Return the settings with which local workers are started."""
    return load_settings({PROFILE.name: "laptop", **os.environ})


def log_folder() -> Path:
    """Return where the logs of local workers go."""
    return Path(os.environ.get("PARLEY_LOGS") or Path.home() / ".cache" / "parley" / "logs")
