"""Licences of the direct dependencies as their metadata say; `python -m tests.support.package_licences` prints them."""

import importlib.metadata
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
LONGEST_NAME = 60  # characters; some packages put the whole text where the name belongs
KNOWN_TEXTS = {"MIT": r"MIT License", "Apache-2.0": r"Apache License\s+Version 2\.0"}


def direct_dependencies() -> dict[str, list[str]]:
    """Return who needs each package: `core`, or the extras that name it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    needed: dict[str, list[str]] = {}
    for extra, requirements in {"core": project["dependencies"], **project["optional-dependencies"]}.items():
        for requirement in requirements:
            needed.setdefault(re.match(r"[\w.-]+", requirement)[0], []).append(extra)
    return needed


def licence_of(package: str) -> str | None:
    """Return the licence of a package by its metadata, else by its licence file; None where it is not installed."""
    try:
        distribution = importlib.metadata.distribution(package)
    except importlib.metadata.PackageNotFoundError:
        return None
    metadata = distribution.metadata
    named = metadata["License-Expression"] or metadata["License"] or ""
    if named and len(named) < LONGEST_NAME:
        return named
    classified = [
        one.rpartition(" :: ")[2] for one in metadata.get_all("Classifier") or () if one.startswith("License")
    ]
    texts = [named, *(_text(distribution, name) for name in metadata.get_all("License-File") or ())]
    found = (licence for licence, text in KNOWN_TEXTS.items() for one in texts if re.search(text, one))
    return next(found, ", ".join(classified) or "not said")


def _text(distribution: importlib.metadata.Distribution, name: str) -> str:
    return distribution.read_text(f"licenses/{name}") or distribution.read_text(name) or ""


def rows() -> Iterator[str]:
    """Yield the table's row of each package that is installed."""
    for package, extras in sorted(direct_dependencies().items(), key=lambda item: item[0].lower()):
        licence = licence_of(package)
        if licence is not None:
            yield f"| `{package}` | {', '.join(extras)} | {licence} |"


if __name__ == "__main__":
    sys.stdout.writelines(f"{row}\n" for row in rows())
