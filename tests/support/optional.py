"""Packages and programs that a user's machine may lack: their tests skip there, and fail where CI runs."""

import importlib
import os
import shutil
from types import ModuleType

import pytest


def needed(name: str) -> ModuleType:
    """Import `name`, or skip the module that asks for it, loudly; under CI its absence is an error."""
    if os.environ.get("CI") == "true":
        return importlib.import_module(name)
    return pytest.importorskip(name, reason=f"{name} is not installed: run make test, and look what it says of {name}")


def needed_program(name: str) -> None:
    """Skip the test that asks for the program `name` where there is none, loudly; under CI its absence is an error."""
    if shutil.which(name) is None:
        if os.environ.get("CI") == "true":
            raise FileNotFoundError(name)
        pytest.skip(f"{name} is not installed: install it with the system's packages")
