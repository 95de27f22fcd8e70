"""`parley deploy` as a test calls it: a settings file for a fake account, the command's output, its error."""

import io
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

from common.errors import ParleyError
from orchestrator.cli import COMMANDS
from orchestrator.cli_arguments import command_line
from tests.support.fake_runpod_api import FakeRunPod

EXAMPLE = Path(__file__).resolve().parents[2] / ".runpod" / "endpoints.toml"


@dataclass(frozen=True)
class Ran:
    """What one run printed, and the error that ended it."""

    out: str
    err: str
    error: ParleyError | None


def settings_file(folder: Path, fake: FakeRunPod, **changes: str) -> Path:
    """Write the committed example for a fake account; `changes` are pieces of its text to be replaced."""
    text = EXAMPLE.read_text(encoding="utf-8").replace("YOUR_NAME", "ada")
    for old, new in changes.items():
        assert old in text, old
        text = text.replace(old, new)
    path = folder / "endpoints.toml"
    path.write_text(f'api = "{fake.url}"\n{text}', encoding="utf-8")
    return path


async def deploy(path: Path, *options: str) -> Ran:
    """Run the command; what `main` would report as an error is returned."""
    out, err, failed = io.StringIO(), io.StringIO(), None
    arguments = command_line(COMMANDS).parse_args(["deploy", "--file", str(path), *options])
    with redirect_stdout(out), redirect_stderr(err):
        try:
            await arguments.command(arguments)
        except ParleyError as error:
            failed = error
    return Ran(out.getvalue(), err.getvalue(), failed)
