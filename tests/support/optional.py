"""Packages that a user's machine may lack: their tests skip there, and fail where CI runs."""

import importlib
import os
from types import ModuleType

import pytest


def needed(name: str) -> ModuleType:
    """Import `name`, or skip the module that asks for it, loudly; under CI its absence is an error."""
    if os.environ.get("CI") == "true":
        return importlib.import_module(name)
    return pytest.importorskip(name, reason=f"{name} is not installed: run make test, and look what it says of {name}")
