"""The `parley` command: transcribe, batch, diarize, health, serve, keys, worker, up, demo, doctor, deploy."""

import argparse
import asyncio
import json
import os
import signal
import sys
from collections.abc import Coroutine, Sequence
from dataclasses import astuple
from typing import Any

from common.contract import DiarizationRequest, OrchestrationRequest
from common.errors import ConfigurationError, ParleyError, blames_the_request
from common.formats import rttm_of_turns
from common.results import TurnOut
from orchestrator.cli_arguments import command_line, request_fields
from orchestrator.cli_batch import run_batch
from orchestrator.cli_client import check_request, command_client, local_settings, log_folder
from orchestrator.cli_output import (
    EXIT_BAD_INPUT,
    EXIT_FAILED,
    EXIT_INTERRUPTED,
    EXIT_OK,
    ProgressLine,
    check_readable,
    check_writable,
    document,
    report_coverage,
    report_error,
    written,
)
from orchestrator.demo import run_demo
from orchestrator.doctor import examine
from orchestrator.local.stack import local_stack


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
    check_readable(arguments.audio)
    check_writable(arguments.output)
    check_request(OrchestrationRequest, arguments, arguments.audio, fields)
    async with command_client(local=arguments.local) as client:
        with ProgressLine() as line:
            answer = await client.transcribe(arguments.audio, on_progress=line.show, **fields)
    report_coverage(answer)
    written(document(answer, arguments.format), arguments.output)
    return EXIT_OK


async def _diarize(arguments: argparse.Namespace) -> int:
    fields = request_fields(arguments)
    check_readable(arguments.audio)
    check_writable(arguments.output)
    check_request(DiarizationRequest, arguments, arguments.audio, fields)
    async with command_client(local=arguments.local) as client:
        with ProgressLine() as line:
            answer = await client.diarize(arguments.audio, on_progress=line.show, **fields)
    turns = (TurnOut.model_validate(one).turn() for one in answer["segments"])
    written(json.dumps(answer, indent=2) if arguments.format == "json" else rttm_of_turns(turns), arguments.output)
    return EXIT_OK


async def _health(_: argparse.Namespace) -> int:
    async with command_client(local=False) as client:
        found = await client.health()
    columns = ("queued", "running", "workers: ready", "busy", "starting")
    print(f"{'endpoint':<15}" + "".join(f"{title:>16}" for title in columns))
    for name, health in found.items():
        print(f"{name:<15}" + "".join(f"{count:>16}" for count in astuple(health)))
    return EXIT_OK


async def _up(arguments: argparse.Namespace) -> int:
    sys.stderr.write("starting the local workers…\n")
    async with local_stack(log_folder(), env=os.environ, port=arguments.port) as settings:
        endpoints = settings.endpoints
        print(f"export RUNPOD_BASE_URL={endpoints.base_url}")
        print(f"export RUNPOD_API_KEY={endpoints.api_key}")
        print(f"export DIARIZATION_ENDPOINT_ID={endpoints.diarization_id}")
        print(f"export TRANSCRIPTION_ENDPOINT_ID={endpoints.transcription_id}")
        print(f"export ORCHESTRATOR_ENDPOINT_ID={endpoints.orchestrator_id}", flush=True)
        sys.stderr.write("ready; paste these lines into another shell. Ctrl-C stops everything.\n")
        await asyncio.Event().wait()
    return EXIT_OK


async def _of_server(arguments: argparse.Namespace) -> int:
    try:
        from orchestrator.cli_server import SERVER_COMMANDS  # noqa: PLC0415 - packages that a mere client need not have
    except ImportError as error:
        raise ConfigurationError(
            f"{error.name} is not installed; run `make install`, or pip install '.[server,queue]'"
        ) from None
    return await SERVER_COMMANDS[arguments.name_of_command](arguments)


async def _deploy(arguments: argparse.Namespace) -> int:
    from orchestrator.cli_deploy import run_deploy  # noqa: PLC0415 - what no other command needs

    return await run_deploy(arguments)


def _demo(arguments: argparse.Namespace) -> Coroutine[Any, Any, int]:
    return run_demo(arguments.audio, log_folder=log_folder(), env=os.environ)


async def _doctor(_: argparse.Namespace) -> int:
    return EXIT_OK if await asyncio.to_thread(examine, local_settings()) else EXIT_FAILED


COMMANDS = {
    "transcribe": _transcribe,
    "batch": run_batch,
    "diarize": _diarize,
    "health": _health,
    "serve": _of_server,
    "keys": _of_server,
    "worker": _of_server,
    "up": _up,
    "demo": _demo,
    "doctor": _doctor,
    "deploy": _deploy,
}

if __name__ == "__main__":
    sys.exit(main())
