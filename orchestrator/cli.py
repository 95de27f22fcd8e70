"""The `parley` command: transcribe, diarize, up, demo, doctor."""

import argparse
import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Coroutine, Sequence
from pathlib import Path
from typing import Any, get_args

from common.contract import ResponseFormat
from common.errors import ParleyError, blames_the_request
from common.formats import RenderOptions, render
from common.settings import PROFILE, Settings, load_settings
from common.timeline import Transcript, Turn
from orchestrator.cli_output import ProgressLine, check_readable, check_writable, report_coverage, report_error, written
from orchestrator.client import AsyncParley
from orchestrator.demo import run_demo
from orchestrator.doctor import examine
from orchestrator.local.stack import local_stack

EXIT_OK, EXIT_FAILED, EXIT_BAD_INPUT, EXIT_INTERRUPTED = 0, 1, 2, 130
DEFAULT_PORT = 8800


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns 0, 1 for a failure, 2 for bad input or usage, 130 for Ctrl-C."""
    arguments = _parser().parse_args(argv)
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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="parley", description="Who said what: audio in, speakers and words out.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_audio_command(commands, "transcribe", _transcribe, "words, with the speaker of each", default="text")
    _add_audio_command(commands, "diarize", _diarize, "who spoke when", default="rttm")
    up = commands.add_parser("up", help="keep the local platform and its workers running")
    up.add_argument("--port", type=int, default=DEFAULT_PORT, help="port on loopback (default %(default)s)")
    up.set_defaults(command=_up)
    demo = commands.add_parser("demo", help="transcribe a sample or AUDIO here, and show where the time went")
    demo.add_argument("audio", nargs="?", help="path or URL; the built-in sample if left out")
    demo.set_defaults(command=_demo)
    doctor = commands.add_parser("doctor", help="check this machine: packages, token, models, device, disk")
    doctor.set_defaults(command=_doctor)
    return parser


def _add_audio_command(commands: Any, name: str, command: object, help_text: str, *, default: str) -> None:  # noqa: ANN401 - argparse has no public type for it
    formats = get_args(ResponseFormat) if name == "transcribe" else ("rttm", "json")
    parser = commands.add_parser(name, help=help_text)
    parser.add_argument("audio", help="path or http(s) URL")
    parser.add_argument("--format", choices=formats, default=default, help="default %(default)s")
    parser.add_argument("--speakers", type=int, dest="num_speakers", help="exact number of speakers")
    parser.add_argument("--min-speakers", type=int, help="at least this many")
    parser.add_argument("--max-speakers", type=int, help="at most this many")
    if name == "transcribe":
        parser.add_argument("--language", help="language code, e.g. en")
        parser.add_argument(
            "--hotword", action="append", dest="hotwords", metavar="NAME", help="a name or term to expect; repeatable"
        )
        parser.add_argument("--no-diarize", dest="diarize", action="store_false", default=None, help="words only")
    parser.add_argument("--local", action="store_true", help="run the models on this machine for this one file")
    parser.add_argument("-o", "--output", type=Path, help="write to this file instead of the screen")
    parser.set_defaults(command=command)


def _options(arguments: argparse.Namespace) -> dict[str, Any]:
    names = ("num_speakers", "min_speakers", "max_speakers", "language", "hotwords", "diarize")
    return {name: getattr(arguments, name) for name in names if getattr(arguments, name, None) is not None}


async def _transcribe(arguments: argparse.Namespace) -> int:
    check_readable(arguments.audio)
    check_writable(arguments.output)
    async with _client(local=arguments.local) as client:
        with ProgressLine() as line:
            answer = await client.transcribe(
                arguments.audio, on_progress=line.show, response_format=arguments.format, **_options(arguments)
            )
    report_coverage(answer)
    is_json = arguments.format in ("json", "verbose_json", "diarized_json")
    written(json.dumps(answer, ensure_ascii=False, indent=2) if is_json else answer["text"], arguments.output)
    return EXIT_OK


async def _diarize(arguments: argparse.Namespace) -> int:
    check_readable(arguments.audio)
    check_writable(arguments.output)
    async with _client(local=arguments.local) as client:
        with ProgressLine() as line:
            answer = await client.diarize(arguments.audio, on_progress=line.show, **_options(arguments))
    written(json.dumps(answer, indent=2) if arguments.format == "json" else _rttm(answer), arguments.output)
    return EXIT_OK


def _rttm(answer: dict[str, Any]) -> str:
    turns = tuple(Turn(part["start"], part["end"], part["speaker"]) for part in answer["segments"])
    transcript = Transcript(segments=(), duration_s=answer["duration"], language="", diarized=True, turns=turns)
    return str(render(transcript, "rttm", RenderOptions())["text"])


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
    settings = load_settings({PROFILE.name: "laptop", **os.environ})  # as for the other commands on this machine
    return EXIT_OK if await asyncio.to_thread(examine, settings) else EXIT_FAILED


if __name__ == "__main__":
    sys.exit(main())
