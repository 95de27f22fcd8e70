"""What the command line shows: a progress line, one-line errors, results to screen or file."""

import errno
import json
import os
import shutil
import sys
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self, TextIO

from common.errors import EmptyAudioError, InvalidInputError, ParleyError
from orchestrator.upload import is_remote, shown_path

EXIT_OK, EXIT_FAILED, EXIT_BAD_INPUT, EXIT_INTERRUPTED = 0, 1, 2, 130
JSON_FORMATS = ("json", "verbose_json", "diarized_json")
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
        fraction, stage = progress.get("progress"), str(progress.get("stage", ""))
        if not isinstance(fraction, (int, float)):
            return
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
    sys.stderr.write(f"error: {error_line(error)}\n")


def error_line(error: ParleyError) -> str:
    """Return message and code on one line."""
    return f"{' '.join(error.message.split())} [{error.envelope()['code']}]"


def report_coverage(answer: Mapping[str, Any]) -> None:
    """Write one line if speech of an answer had no words at first, or has none, or was not decoded at all."""
    if line := coverage_line(answer):
        sys.stderr.write(f"{line}\n")


def coverage_line(answer: Mapping[str, Any]) -> str:
    """Return what `report_coverage` writes; empty where nothing was missing."""
    coverage = answer.get("coverage") or {}
    repaired_s, empty_s = coverage.get("repaired_s", 0.0), coverage.get("empty_s", 0.0)
    failed_s = sum(one["end"] - one["start"] for one in coverage.get("failed", ()))
    if not (repaired_s or empty_s or failed_s):
        return ""
    return (
        f"coverage: of {coverage['speech_s']:.1f} s of speech, {repaired_s:.1f} s got words when decoded again, "
        f"{empty_s:.1f} s have none{f', {failed_s:.1f} s could not be decoded' if failed_s else ''}"
    )


def check_readable(audio: str) -> None:
    """Raise InvalidInputError when a local recording cannot be read, before anything slow is started."""
    if is_remote(audio):
        return
    if not os.path.isfile(audio):  # noqa: PTH113 - that of pathlib raises for a name too long
        raise InvalidInputError(f"cannot read {shown_path(audio)}: no such file", param="audio")
    if not os.access(audio, os.R_OK):
        raise InvalidInputError(f"cannot read {shown_path(audio)}: no permission", param="audio")
    if not Path(audio).stat().st_size:
        raise EmptyAudioError(f"{shown_path(audio)} is empty (0 bytes)", param="audio")


def check_writable(path: Path | None) -> None:
    """Raise InvalidInputError when a result could not be written to `path`, before it is paid for."""
    if path is not None and not (path.parent.is_dir() and os.access(path if path.exists() else path.parent, os.W_OK)):
        raise InvalidInputError(f"cannot write {path}: no such folder, or no permission", param="output")


def document(answer: Mapping[str, Any], response_format: str) -> str:
    """Return an answer as it is written down: the text, or JSON for a format that is JSON; it ends with a newline."""
    is_json = response_format in JSON_FORMATS
    text = json.dumps(answer, ensure_ascii=False, indent=2) if is_json else str(answer["text"])
    return text if text.endswith("\n") else f"{text}\n"


def write_atomically(path: Path, text: str, *, replace: bool = True) -> None:
    """Write a file so that it is there whole or not at all.

    Raises OSError: FileExistsError for a file that is there already, unless that is to be replaced.
    """
    temporary = path.with_name(f".{uuid.uuid4().hex}.part")
    try:
        with temporary.open("x", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        if replace:
            temporary.replace(path)
        else:
            _link(temporary, path)
            temporary.unlink()
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _link(temporary: Path, path: Path) -> None:
    """Give a file a second name that is free."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise
    except OSError:  # file systems without hard links: here somebody else may come between
        if os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path)) from None
        shutil.copyfile(temporary, path)


def written(text: str, path: Path | None) -> None:
    """Write `text` to `path`, or to the screen; to the screen also when writing the file fails."""
    text = text if text.endswith("\n") else f"{text}\n"
    if path is not None:
        try:
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            sys.stderr.write(f"error: cannot write {path} ({error.strerror}); here is the result:\n")
        else:
            return
    sys.stdout.write(text)
