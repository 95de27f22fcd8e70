"""Which recordings a batch has, and where the result of each goes."""

import glob
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from common.errors import InvalidInputError
from orchestrator.cli_batch_state import BatchState
from orchestrator.cli_batch_urls import remembered_url
from orchestrator.upload import is_remote, shown_path

AUDIO_SUFFIXES = (
    ".3gp", ".aac", ".aif", ".aiff", ".amr", ".avi", ".caf", ".flac", ".m4a", ".m4b", ".mka", ".mkv", ".mov", ".mp3",
    ".mp4", ".mpeg", ".mpg", ".oga", ".ogg", ".opus", ".wav", ".webm", ".wma", ".wv",
)  # fmt: skip
EXTENSIONS = {"text": "txt", "json": "json", "verbose_json": "json", "diarized_json": "json"}
MAX_STEM_CHARS = 60  # characters may have four bytes, and names of files 255


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchFile:
    """A recording (path or URL), what it is remembered by, and the file its result goes to."""

    audio: str
    source: str
    output: Path

    @property
    def content(self) -> str:
        """What its fingerprint is taken of: its bytes, but for a URL what that is remembered by."""
        return self.source if is_remote(self.audio) else self.audio


def found_recordings(given: Sequence[str]) -> list[str]:
    """Return the recordings that paths, folders, patterns and URLs stand for, each once, in this order.

    Folders are searched to the bottom for files named as audio or video, hidden ones, pipes and devices left out.
    Raises InvalidInputError for what stands for nothing.
    """
    found: dict[str, None] = {}
    for one in given:
        recordings = [one] if is_remote(one) else list(_below(one))
        if not recordings:
            raise InvalidInputError(f"no recording is found at {shown_path(one)}", param="audio")
        found.update(dict.fromkeys(recordings))
    return list({source_of(audio): audio for audio in reversed(found)}.values())[::-1]


def _below(given: str) -> Iterator[str]:
    if os.path.isfile(given):  # noqa: PTH113 - that of pathlib raises for a name too long
        yield given
    elif os.path.isdir(given):  # noqa: PTH112 - as above
        for folder, folders, names in os.walk(given):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for name in sorted(names):
                path = os.path.join(folder, name)  # noqa: PTH118 - as it was given, "./" included
                if Path(name).suffix.lower() in AUDIO_SUFFIXES and not (name.startswith(".") or _is_special(path)):
                    yield path
    elif glob.has_magic(given):
        for match in sorted(glob.glob(given, recursive=True)):  # noqa: PTH207 - "**" and absolute patterns
            yield from _below(match)


def _is_special(path: str) -> bool:
    """Tell a pipe, socket or device, which may be read for ever; a link to nothing is none, and told at its turn."""
    return os.path.exists(path) and not os.path.isfile(path)  # noqa: PTH110, PTH113 - those of pathlib may raise


def source_of(audio: str) -> str:
    """Return what a recording is remembered by: its URL without what signs it, or its path from the root."""
    if is_remote(audio):
        return remembered_url(audio)
    return os.fsencode(Path(audio).resolve()).decode(errors="backslashreplace")  # names need not be Unicode


def planned(audios: Sequence[str], state: BatchState, folder: Path, *, response_format: str) -> list[BatchFile]:
    """Return the files of a batch, each with an output of its own that nothing else is lost for.

    A recording has the output that it had before; a new one `<stem>.<ext>`, or `<stem>-2.<ext>` and so on where that
    belongs to another recording or is there already.
    """
    extension = EXTENSIONS.get(response_format, response_format)
    files, taken = [], dict[str, int]()
    for audio in audios:
        source = source_of(audio)
        name = state.output_of(source, extension) or _free_name(_stem(audio), extension, state, folder, taken)
        state.reserve(name, source)
        files.append(BatchFile(audio=audio, source=source, output=folder / name))
    return files


def moved(file: BatchFile, state: BatchState) -> BatchFile:
    """Return the file with another output, where somebody else has made one of that name."""
    folder, extension = file.output.parent, file.output.suffix[1:]
    name = _free_name(_stem(file.audio), extension, state, folder, {})
    state.reserve(name, file.source)
    return replace(file, output=folder / name)


def _free_name(stem: str, extension: str, state: BatchState, folder: Path, taken: dict[str, int]) -> str:
    """Return a name that nothing has; `taken` are the numbers up to which those of a stem are taken."""
    number = taken.get(stem, 0) + 1
    while (name := _numbered(stem, number, extension)) in state or os.path.lexists(folder / name):
        number += 1
    taken[stem] = number
    return name


def _numbered(stem: str, number: int, extension: str) -> str:
    return f"{stem}.{extension}" if number == 1 else f"{stem}-{number}.{extension}"


def _stem(audio: str) -> str:
    path = PurePosixPath(unquote(urlsplit(audio).path)) if is_remote(audio) else Path(audio)
    if audio[:5].lower() == "data:" and is_remote(audio):
        path = PurePosixPath()
    stem = "".join(char if char.isprintable() else "_" for char in path.stem)[:MAX_STEM_CHARS]
    return stem.lstrip(".") or "recording"
