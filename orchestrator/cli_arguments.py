"""What the command line takes, and how it becomes a request's fields."""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

from common.contract import ResponseFormat
from common.errors import InvalidInputError
from orchestrator.batch import DEFAULT_CONCURRENCY
from orchestrator.cli_output import check_readable
from orchestrator.request_parts import carried_words

DEFAULT_PORT = 8800
DEPLOY_FILE = Path(".runpod") / "endpoints.toml"
PASSED_ON = (
    "num_speakers", "min_speakers", "max_speakers", "language", "hotwords", "diarize", "name_speakers",
    "speaker_confidence", "idempotency_key",
)  # fmt: skip


def command_line(commands: Mapping[str, object]) -> argparse.ArgumentParser:
    """Return the parser; the function of the command that was given is in `command`."""
    parser = argparse.ArgumentParser(prog="parley", description="Who said what: audio in, speakers and words out.")
    added = parser.add_subparsers(required=True, metavar="COMMAND")
    transcribe = added.add_parser("transcribe", help="words, with the speaker of each")
    _add_audio(transcribe, formats=get_args(ResponseFormat), default="text")
    _add_words(transcribe)
    _add_one_recording(transcribe)
    batch = added.add_parser("batch", help="the same for many recordings, each into a file; goes on where it ended")
    _add_batch(batch)
    diarize = added.add_parser("diarize", help="who spoke when")
    _add_audio(diarize, formats=("rttm", "json"), default="rttm")
    added.add_parser("health", help="jobs and workers of the configured endpoints")
    _add_server(added)
    up = added.add_parser("up", help="keep the local platform and its workers running")
    up.add_argument("--port", type=int, default=DEFAULT_PORT, help="port on loopback (default %(default)s)")
    demo = added.add_parser("demo", help="transcribe a sample or AUDIO here, and show where the time went")
    demo.add_argument("audio", nargs="?", help="path or URL; the built-in sample if left out")
    added.add_parser("doctor", help="check this machine: packages, token, models, device, disk")
    _add_deploy(added)
    for name, command in commands.items():
        added.choices[name].set_defaults(command=command, name_of_command=name)
    return parser


def _add_server(added: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    serve = added.add_parser("serve", help="the web server: a page, jobs that survive, an API")
    serve.add_argument("--host", help="address to listen on (SERVER_HOST; loopback)")
    serve.add_argument("--port", type=int, help="port (SERVER_PORT; 8080); 0: any that is free")
    keys = added.add_parser("keys", help="API keys of the web server")
    keys.add_argument("action", choices=("add", "list", "revoke"))
    keys.add_argument("name", nargs="?", help="whose key; to revoke one, its id or name")
    worker = added.add_parser("worker", help="a worker of the queue at QUEUE_URL")
    worker.add_argument("kind", choices=("diarization", "transcription"))


def _add_deploy(added: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    deploy = added.add_parser("deploy", help="make or change the endpoints on RunPod, from one settings file")
    deploy.add_argument("--file", type=Path, default=DEPLOY_FILE, help="settings file (default %(default)s)")
    deploy.add_argument("--dry-run", action="store_true", help="show what would be done, and do nothing")


def _add_audio(parser: argparse.ArgumentParser, *, formats: tuple[str, ...], default: str) -> None:
    parser.add_argument("audio", help="path or http(s) URL")
    parser.add_argument("-o", "--output", type=Path, help="write to this file instead of the screen")
    _add_speakers(parser, formats=formats, default=default)


def _add_speakers(parser: argparse.ArgumentParser, *, formats: tuple[str, ...], default: str) -> None:
    parser.add_argument("--format", choices=formats, default=default, help="default %(default)s")
    parser.add_argument("--speakers", type=int, dest="num_speakers", help="exact number of speakers")
    parser.add_argument("--min-speakers", type=int, help="at least this many")
    parser.add_argument("--max-speakers", type=int, help="at most this many")
    parser.add_argument(
        "--known", action="append", type=_pair, metavar="NAME=FILE", help="a voice to recognise; repeatable"
    )
    parser.add_argument("--local", action="store_true", help="run the models on this machine, for this command only")


def _add_words(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--language", help="language code, e.g. en")
    parser.add_argument(
        "--hotword", action="append", dest="hotwords", metavar="NAME", help="a name or term to expect; repeatable"
    )
    parser.add_argument("--no-diarize", dest="diarize", action="store_false", default=None, help="words only")
    parser.add_argument(
        "--name-speakers", action="store_true", default=None, help="ask a language model for the speakers' names"
    )
    parser.add_argument(
        "--speaker-confidence", action="store_true", default=None, help="add it to each word (verbose_json)"
    )


def _add_one_recording(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--words", type=Path, metavar="JSON", help="an earlier verbose_json result: find its speakers anew, no words"
    )
    parser.add_argument(
        "--name", action="append", type=_pair, metavar="LABEL=NAME", help="call SPEAKER_00 so; repeatable"
    )
    parser.add_argument(
        "--idempotency-key", metavar="KEY", help="commands with one key are one job, if the platform knows keys"
    )


def _add_batch(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "audios", nargs="+", metavar="FILE|FOLDER|GLOB|URL", help="recordings; folders with all in them"
    )
    parser.add_argument("--output-dir", "-o", type=Path, required=True, help="folder for the results; made if need be")
    parser.add_argument(
        "--concurrency", type=_above_zero, default=DEFAULT_CONCURRENCY, help="recordings at a time, default %(default)s"
    )
    parser.add_argument("--force", action="store_true", help="do again what is done already")
    _add_speakers(parser, formats=get_args(ResponseFormat), default="text")
    _add_words(parser)


def _above_zero(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number above zero")
    return int(text)


def _pair(text: str) -> tuple[str, str]:
    left, equals, right = (part.strip() for part in text.partition("="))
    if not (left and equals and right):
        raise argparse.ArgumentTypeError(f"{text!r} has not the form LEFT=RIGHT")
    return left, right


def request_fields(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the fields of the request, those of `--words` included.

    Raises InvalidInputError for a file that is not there or not what it should be.
    """
    fields = {} if getattr(arguments, "words", None) is None else carried_words(_earlier_result(arguments.words))
    fields |= {name: value for name in PASSED_ON if (value := getattr(arguments, name, None)) is not None}
    if getattr(arguments, "name", None):
        fields["speaker_names"] = dict(arguments.name)
    if arguments.known:
        for _, voice in arguments.known:
            check_readable(voice)
        fields["known_speakers"] = [{"name": name, "audio": voice} for name, voice in arguments.known]
    return fields


def _earlier_result(path: Path) -> object:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidInputError(f"cannot read {path}: {error.strerror}", param="words") from None
    except (ValueError, RecursionError):  # the latter for brackets in brackets in brackets…
        raise InvalidInputError(f"{path} is not JSON; make it with --format verbose_json", param="words") from None
