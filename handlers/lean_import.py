"""Importing a large library without the packages that its inference never uses."""

import importlib
import importlib.util
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType


@contextmanager
def hidden(*packages: str) -> Iterator[None]:
    """Make imports of `packages` fail inside the block; those already imported stay as they are."""
    blocked = [name for name in packages if name not in sys.modules]
    sys.modules.update(dict.fromkeys(blocked))  # type: ignore[arg-type]  # None is Python's mark for "do not import"
    try:
        yield
    finally:
        for name in blocked:
            sys.modules.pop(name, None)


def module_of_file(name: str, path: Path) -> ModuleType:
    """Run one file of a package as a module of its own, without the package around it; raises ImportError."""
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path.name} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@contextmanager
def imported_meanwhile(*modules: str) -> Iterator[None]:
    """Import `modules` in a thread beside the block, which had better compute than import; raises what they raise."""
    with ThreadPoolExecutor(1, "import") as thread:
        imported = [thread.submit(importlib.import_module, name) for name in modules]
        yield
    for one in imported:
        one.result()
