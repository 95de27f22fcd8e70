"""What the command line shows: a progress line, one-line errors, results to screen or file."""

import sys
from pathlib import Path
from typing import Any, Self, TextIO

from common.errors import ParleyError

BAR_CHARS = 30


class ProgressLine:
    """One line on a terminal's stderr that is overdrawn; elsewhere a line per change of ten percent."""

    def __init__(self, stream: TextIO = sys.stderr) -> None:
        self._stream = stream
        self._shown_tenths = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._stream.isatty() and self._shown_tenths >= 0:
            self._stream.write("\r\x1b[K")

    def show(self, progress: dict[str, Any]) -> None:
        """Draw `{stage, progress}`; `progress` is a fraction from 0 to 1."""
        fraction, stage = float(progress.get("progress", 0.0)), str(progress.get("stage", ""))
        if self._stream.isatty():
            bar = ("█" * round(fraction * BAR_CHARS)).ljust(BAR_CHARS, "·")
            self._stream.write(f"\r\x1b[K{bar} {fraction:4.0%} {stage}")
            self._shown_tenths = 0
        elif int(fraction * 10) > self._shown_tenths:
            self._shown_tenths = int(fraction * 10)
            self._stream.write(f"{fraction:4.0%} {stage}\n")
        self._stream.flush()


def report_error(error: ParleyError) -> None:
    """Write one line that says what went wrong and where."""
    sys.stderr.write(f"error: {' '.join(error.message.split())} [{error.envelope()['code']}]\n")


def written(text: str, path: Path | None) -> None:
    """Write `text` to `path`, or to the screen."""
    if path is None:
        sys.stdout.write(text if text.endswith("\n") else f"{text}\n")
    else:
        path.write_text(text if text.endswith("\n") else f"{text}\n", encoding="utf-8")
