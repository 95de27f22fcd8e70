"""The processor's name without py-cpuinfo's search for everything else, for which its caller waits a second."""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any

NAME = "brand_raw"
LISTED_NAME = re.compile(r"^model name[ \t]*:[ \t]*(\S.*?)[ \t]*$", flags=re.MULTILINE)


class CpuInfo(Mapping[str, Any]):
    """What py-cpuinfo tells of the processor; all but the name is searched for only when it is asked for."""

    def __init__(self, name: str, search: Callable[[], Mapping[str, Any]]) -> None:
        self._name = name
        self._search = search

    @cached_property
    def _found(self) -> Mapping[str, Any]:
        return self._search()

    def __getitem__(self, key: str) -> Any:  # noqa: ANN401 - py-cpuinfo's values
        return self._name if key == NAME else self._found[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)


@contextmanager
def named_at_once(listing: Path = Path("/proc/cpuinfo")) -> Iterator[None]:
    """Let py-cpuinfo answer from the system's `listing` inside the block, where the processor has a name there.

    The RunPod SDK asks it for the name at import, for a report that nobody sees, and waits for a subprocess.
    """
    name = _listed_name(listing)
    try:
        cpuinfo: Any = import_module("cpuinfo")
        search = cpuinfo.get_cpu_info
    except (ImportError, AttributeError):
        name = None
    if name is None:
        yield
        return
    cpuinfo.get_cpu_info = lambda: CpuInfo(name, search)
    try:
        yield
    finally:
        cpuinfo.get_cpu_info = search


def _listed_name(listing: Path) -> str | None:
    try:
        found = LISTED_NAME.search(listing.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return None
    return found[1] if found else None
