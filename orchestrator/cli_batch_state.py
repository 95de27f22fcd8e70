"""What a batch remembers in its output folder: which result is of which recording, and what it was made with."""

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from orchestrator.cli_output import write_atomically

STATE_NAME = ".parley-batch.json"


class Entry(BaseModel):
    """One result: its recording, and the fingerprint of recording and options, once it is done."""

    model_config = ConfigDict(strict=True)
    source: str
    key: str | None = None


class Remembered(BaseModel):
    """The file: entries by the name of the result's file."""

    model_config = ConfigDict(strict=True)
    version: int = 1
    results: dict[str, Entry] = {}


class BatchState:
    """The state of the batches into one folder; `damaged` tells that there was one that could not be read."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._results: dict[str, Entry] = {}
        self.damaged = False
        try:
            text = (folder / STATE_NAME).read_text(encoding="utf-8")
            self._results = Remembered.model_validate_json(text).results
        except FileNotFoundError:
            pass
        except (OSError, ValueError, ValidationError):
            self.damaged = True

    def __contains__(self, name: str) -> bool:
        return name in self._results

    def output_of(self, source: str, extension: str) -> str | None:
        """Return the name of a recording's result, if it has had one."""
        ours = (name for name, entry in self._results.items() if entry.source == source)
        return next((name for name in ours if name.endswith(f".{extension}")), None)

    def reserve(self, name: str, source: str) -> None:
        """Give a name to a recording's result; what was made before stays what it is."""
        self._results.setdefault(name, Entry(source=source))

    def key_of(self, name: str) -> str | None:
        """Return what the result was made with; None if there is none."""
        entry = self._results.get(name)
        return entry.key if entry and (self._folder / name).is_file() else None

    def made_with(self, key: str) -> Path | None:
        """Return a result that was made with the same."""
        return next((self._folder / name for name in self._results if self.key_of(name) == key), None)

    def note(self, name: str, key: str) -> None:
        """Remember that a result is done, now and for the next batch; raises OSError."""
        self._results[name] = self._results[name].model_copy(update={"key": key})
        self.save()

    def save(self) -> None:
        """Write the state; raises OSError."""
        content: dict[str, Any] = Remembered(results=self._results).model_dump(mode="json")
        write_atomically(self._folder / STATE_NAME, json.dumps(content, ensure_ascii=False, indent=1))
