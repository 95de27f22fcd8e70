"""Which recordings a batch has, and where the result of each goes."""

import glob
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from common.errors import InvalidInputError
from orchestrator.cli_batch_state import BatchState
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


def found_recordings(given: Sequence[str]) -> list[str]:
    """Return the recordings that paths, folders, patterns and URLs stand for, each once, in this order.

    Folders are searched to the bottom for files named as audio or video, hidden ones left out. Raises
    InvalidInputError for what stands for nothing.
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
                if Path(name).suffix.lower() in AUDIO_SUFFIXES and not name.startswith("."):
                    yield os.path.join(folder, name)  # noqa: PTH118 - as it was given, "./" included
    elif glob.has_magic(given):
        for match in sorted(glob.glob(given, recursive=True)):  # noqa: PTH207 - "**" and absolute patterns
            yield from _below(match)


def source_of(audio: str) -> str:
    """Return what a recording is remembered by: its URL, or its path from the root."""
    if is_remote(audio):
        return audio
    return os.fsencode(Path(audio).resolve()).decode(errors="backslashreplace")  # names need not be Unicode


def planned(audios: Sequence[str], state: BatchState, folder: Path, *, response_format: str) -> list[BatchFile]:
    """Return the files of a batch, each with an output of its own that nothing else is lost for.

    A recording has the output that it had before; a new one `<stem>.<ext>`, or `<stem>-2.<ext>` and so on where that
    belongs to another recording or is there already.
    """
    extension = EXTENSIONS.get(response_format, response_format)
    files = []
    for audio in audios:
        source = source_of(audio)
        name = state.output_of(source, extension) or _free_name(_stem(audio), extension, state, folder)
        state.reserve(name, source)
        files.append(BatchFile(audio=audio, source=source, output=folder / name))
    return files


def _free_name(stem: str, extension: str, state: BatchState, folder: Path) -> str:
    name, number = f"{stem}.{extension}", 1
    while name in state or os.path.lexists(folder / name):
        number += 1
        name = f"{stem}-{number}.{extension}"
    return name


def _stem(audio: str) -> str:
    path = PurePosixPath(unquote(urlsplit(audio).path)) if is_remote(audio) else Path(audio)
    stem = "".join(char if char.isprintable() else "_" for char in path.stem)[:MAX_STEM_CHARS]
    return stem.lstrip(".") or "recording"
