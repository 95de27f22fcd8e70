"""What a batch shows: a bar on a terminal, else a line for each recording, and a summary."""

import contextlib
import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Self, TextIO

from tqdm import tqdm

from common.errors import ParleyError
from common.progress import OnProgress
from orchestrator.cli_batch_files import BatchFile
from orchestrator.cli_batch_urls import shown_audio
from orchestrator.cli_output import coverage_line, error_line
from orchestrator.upload import shown_path

if TYPE_CHECKING:
    from orchestrator.cli_batch import BatchReport

BAR = "{bar} {desc} [{elapsed}<{remaining}]{postfix}"
SHOWN_RUNNING = 3


class BatchProgress:
    """A bar over all recordings, with those that run behind it; where there is no terminal, lines."""

    def __init__(self, *, total: int, before: int, stream: TextIO | None = None) -> None:
        self._stream = stream = stream or sys.stderr
        self._total = total
        self._ended = before
        self._running: dict[str, float] = {}
        tqdm.monitor_interval = 0  # no thread that redraws a bar that nothing happens to
        self._bar = tqdm(
            total=total, file=stream, disable=not stream.isatty(), bar_format=BAR, leave=False, dynamic_ncols=True
        )

    def __enter__(self) -> Self:
        self._draw()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    @contextlib.contextmanager
    def shown(self, audio: str) -> Iterator[OnProgress]:
        """Show a recording among those that run; yields what takes its progress."""
        self._running[audio] = 0.0

        def tell(progress: dict[str, Any]) -> None:
            fraction = progress.get("progress")
            if isinstance(fraction, (int, float)) and audio in self._running:
                self._running[audio] = float(fraction)
                self._draw()

        self._draw()
        try:
            yield tell
        finally:
            del self._running[audio]

    def done(self, file: BatchFile, answer: Mapping[str, Any]) -> None:
        """Show that a recording is done."""
        self._line(f"done: {shown_audio(file.audio)} -> {shown_path(file.output)}")
        if line := coverage_line(answer):
            self._write(f"  {line}")

    def failed(self, file: BatchFile, error: ParleyError) -> None:
        """Show that a recording has failed."""
        self._line(f"failed: {shown_audio(file.audio)}: {error_line(error)}")

    def _line(self, text: str) -> None:
        self._ended += 1
        self._write(f"[{self._ended}/{self._total}] {text}")
        self._draw()

    def _write(self, text: str) -> None:
        tqdm.write(text, file=self._stream)

    def _draw(self) -> None:
        self._bar.n = self._ended + sum(self._running.values())
        self._bar.set_description_str(f"{self._ended}/{self._total}", refresh=False)
        shown = [f"{shown_audio(audio)} {done:.0%}" for audio, done in list(self._running.items())[:SHOWN_RUNNING]]
        more = len(self._running) - len(shown)
        self._bar.set_postfix_str(", ".join([*shown, *([f"{more} more"] if more > 0 else [])]))


def print_summary(report: "BatchReport", *, interrupted: bool = False) -> None:
    """Print how many recordings are done, and why the others are not."""
    counts = {
        "done": len(report.done),
        "done before": len(report.skipped),
        "failed": len(report.failed),
        "not done": len(report.waiting),
    }
    for file, error in report.failed:
        print(f"failed: {shown_audio(file.audio)}: {error_line(error)}")
    print(", ".join(f"{count} {what}" for what, count in counts.items() if count or what == "done"))
    if interrupted or report.waiting or report.failed:
        print("the same command goes on with what is not done")
