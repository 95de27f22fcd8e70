"""The `parley` command: transcribe, diarize, up, demo, doctor."""

import argparse
import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any

from common.contract import DiarizationRequest, OrchestrationRequest, Request, parse_request
from common.errors import ParleyError, blames_the_request
from common.formats import rttm_of_turns
from common.naming.unnamed_speakers import check_naming
from common.results import TurnOut
from common.settings import PROFILE, Settings, load_settings
from orchestrator.cli_arguments import command_line, request_fields
from orchestrator.cli_output import ProgressLine, check_readable, check_writable, report_coverage, report_error, written
from orchestrator.client import AsyncParley
from orchestrator.demo import run_demo
from orchestrator.doctor import examine
from orchestrator.local.stack import local_stack

EXIT_OK, EXIT_FAILED, EXIT_BAD_INPUT, EXIT_INTERRUPTED = 0, 1, 2, 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns 0, 1 for a failure, 2 for bad input or usage, 130 for Ctrl-C."""
    arguments = command_line(COMMANDS).parse_args(argv)
    try:
        return asyncio.run(_until_told_to_stop(arguments))
    except ParleyError as error:
        report_error(error)
        return EXIT_BAD_INPUT if blames_the_request(error) else EXIT_FAILED
    except (KeyboardInterrupt, asyncio.CancelledError):
        sys.stderr.write("interrupted\n")
        return EXIT_INTERRUPTED


async def _until_told_to_stop(arguments: argparse.Namespace) -> int:
    task = asyncio.current_task()
    if task is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return int(await arguments.command(arguments))


async def _transcribe(arguments: argparse.Namespace) -> int:
    fields = {"response_format": arguments.format, **request_fields(arguments)}
    _check(OrchestrationRequest, arguments, fields)
    async with _client(local=arguments.local) as client:
        with ProgressLine() as line:
            answer = await client.transcribe(arguments.audio, on_progress=line.show, **fields)
    report_coverage(answer)
    is_json = arguments.format in ("json", "verbose_json", "diarized_json")
    written(json.dumps(answer, ensure_ascii=False, indent=2) if is_json else answer["text"], arguments.output)
    return EXIT_OK


async def _diarize(arguments: argparse.Namespace) -> int:
    fields = request_fields(arguments)
    _check(DiarizationRequest, arguments, fields)
    async with _client(local=arguments.local) as client:
        with ProgressLine() as line:
            answer = await client.diarize(arguments.audio, on_progress=line.show, **fields)
    turns = (TurnOut.model_validate(one).turn() for one in answer["segments"])
    written(json.dumps(answer, indent=2) if arguments.format == "json" else rttm_of_turns(turns), arguments.output)
    return EXIT_OK


def _check(kind: type[Request], arguments: argparse.Namespace, fields: Mapping[str, Any]) -> None:
    """Raise InvalidInputError for what cannot be met, before anything is started or sent."""
    check_readable(arguments.audio)
    check_writable(arguments.output)
    request = parse_request(kind, {**fields, "audio": arguments.audio})
    if arguments.local and isinstance(request, OrchestrationRequest):
        check_naming(request, available=bool(_local_settings().naming.url))


def _local_settings() -> Settings:
    return load_settings({PROFILE.name: "laptop", **os.environ})  # as local workers are started


@contextlib.asynccontextmanager
async def _client(*, local: bool) -> AsyncIterator[AsyncParley]:
    async with contextlib.AsyncExitStack() as stack:
        settings: Settings | None = None
        if local:
            sys.stderr.write("starting the local workers…\n")
            settings = await stack.enter_async_context(local_stack(_log_folder(), env=os.environ))
        yield await stack.enter_async_context(AsyncParley(settings or load_settings(os.environ)))


def _log_folder() -> Path:
    return Path(os.environ.get("PARLEY_LOGS") or Path.home() / ".cache" / "parley" / "logs")


async def _up(arguments: argparse.Namespace) -> int:
    sys.stderr.write("starting the local workers…\n")
    async with local_stack(_log_folder(), env=os.environ, port=arguments.port) as settings:
        endpoints = settings.endpoints
        print(f"export RUNPOD_BASE_URL={endpoints.base_url}")
        print(f"export RUNPOD_API_KEY={endpoints.api_key}")
        print(f"export DIARIZATION_ENDPOINT_ID={endpoints.diarization_id}")
        print(f"export TRANSCRIPTION_ENDPOINT_ID={endpoints.transcription_id}")
        print(f"export ORCHESTRATOR_ENDPOINT_ID={endpoints.orchestrator_id}", flush=True)
        sys.stderr.write("ready; paste these lines into another shell. Ctrl-C stops everything.\n")
        await asyncio.Event().wait()
    return EXIT_OK


def _demo(arguments: argparse.Namespace) -> Coroutine[Any, Any, int]:
    return run_demo(arguments.audio, log_folder=_log_folder(), env=os.environ)


async def _doctor(_: argparse.Namespace) -> int:
    return EXIT_OK if await asyncio.to_thread(examine, _local_settings()) else EXIT_FAILED


COMMANDS = {"transcribe": _transcribe, "diarize": _diarize, "up": _up, "demo": _demo, "doctor": _doctor}

if __name__ == "__main__":
    sys.exit(main())
