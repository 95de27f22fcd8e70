"""What a batch remembers in its output folder: which result is of which recording, and what it was made with."""

import json
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError

from orchestrator.cli_output import write_atomically

STATE_NAME = ".parley-batch.json"
JOURNAL_NAME = ".parley-batch.journal"  # what was done since that was written, a line each
UNKNOWN = ""  # the key of a result of ours, of which nobody knows what it was made with


def _plain(name: str) -> str:
    if not name or Path(name).name != name or "\\" in name or "\0" in name or name.startswith("."):
        raise ValueError("no name of a result")
    return name


PlainName = Annotated[str, AfterValidator(_plain)]


class Entry(BaseModel):
    """One result: its recording, and the fingerprint of recording and options, once it is done."""

    model_config = ConfigDict(strict=True)
    source: str
    key: str | None = None


class Remembered(BaseModel):
    """The file: entries by the name of the result's file."""

    model_config = ConfigDict(strict=True)
    version: Literal[1] = 1
    results: dict[PlainName, Entry] = {}


class Noted(Entry):
    """A line of the journal."""

    name: PlainName


class BatchState:
    """The state of the batches into one folder; `damaged` tells that there was one that could not be read."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._results: dict[str, Entry] = {}
        self._of_source: dict[str, list[str]] = {}
        self._with_key: dict[str, dict[str, None]] = {}
        self.damaged = False
        try:
            text = (folder / STATE_NAME).read_text(encoding="utf-8")
            for name, entry in Remembered.model_validate_json(text).results.items():
                self._put(name, entry)
        except FileNotFoundError:
            pass
        except (OSError, ValueError, ValidationError):
            self.damaged = True
        else:
            self._read_journal()

    def __contains__(self, name: str) -> bool:
        return name in self._results

    def output_of(self, source: str, extension: str) -> str | None:
        """Return the name of a recording's result, if it has had one; rather of one that is done."""
        ours = [name for name in self._of_source.get(source, ()) if name.endswith(f".{extension}")]
        return max(ours, key=lambda name: self._results[name].key is not None, default=None)

    def reserve(self, name: str, source: str) -> None:
        """Give a name to a recording's result; what was made before stays what it is."""
        if name not in self._results:
            self._put(name, Entry(source=source))

    def key_of(self, name: str) -> str | None:
        """Return what the result was made with; None if there is none of ours, UNKNOWN if that is not known."""
        entry = self._results.get(name)
        return entry.key if entry and (self._folder / name).is_file() else None

    def made_with(self, key: str) -> Path | None:
        """Return a result that was made with the same."""
        return next((self._folder / name for name in self._with_key.get(key, ()) if self.key_of(name) == key), None)

    def note(self, name: str, key: str) -> None:
        """Remember that a result is done, now and for the next batch, even one after a kill; raises OSError."""
        entry = self._results[name].model_copy(update={"key": key})
        self._put(name, entry)
        line = Noted(name=name, **entry.model_dump()).model_dump_json()
        with (self._folder / JOURNAL_NAME).open("a", encoding="utf-8") as journal:
            journal.write(f"{line}\n")

    def save(self) -> None:
        """Write the state, with what is in the journal; raises OSError."""
        results = {name: entry.model_dump() for name, entry in self._results.items()}
        content: dict[str, Any] = {"version": 1, "results": results}
        write_atomically(self._folder / STATE_NAME, json.dumps(content, ensure_ascii=False, indent=1))
        (self._folder / JOURNAL_NAME).unlink(missing_ok=True)

    def _read_journal(self) -> None:
        try:
            lines = (self._folder / JOURNAL_NAME).read_bytes().splitlines()
        except FileNotFoundError:
            return
        for line in lines:
            try:
                noted = Noted.model_validate_json(line)
            except ValidationError:  # the end of it, where the machine lost its power: that is done again
                continue
            self._put(noted.name, Entry(source=noted.source, key=noted.key))

    def _put(self, name: str, entry: Entry) -> None:
        before = self._results.get(name)
        if before is None or before.source != entry.source:
            self._of_source.setdefault(entry.source, []).append(name)
        if before is not None and before.source != entry.source:
            self._of_source[before.source].remove(name)
        if before is not None and before.key is not None:
            self._with_key.get(before.key, {}).pop(name, None)
        if entry.key is not None:
            self._with_key.setdefault(entry.key, {})[name] = None
        self._results[name] = entry
