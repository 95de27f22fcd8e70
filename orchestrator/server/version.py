"""Which version of Parley this is."""

from importlib.metadata import PackageNotFoundError, version


def parley_version() -> str:
    """Return the installed version; `source` where Parley runs from its folder without being installed."""
    try:
        return version("parley")
    except PackageNotFoundError:
        return "source"
