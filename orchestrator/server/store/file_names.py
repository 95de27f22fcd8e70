"""How files in the storage are named, and nothing else is."""

import re

from common.errors import GoneError, InvalidInputError

NAME = re.compile(r"(?:audio|results|peaks|edits)/[A-Za-z0-9][A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]+)*")
MAX_CHARS = 200


def is_name(text: str) -> bool:
    """Tell whether a stored file can be called so."""
    return NAME.fullmatch(text) is not None and len(text) <= MAX_CHARS


def checked(name: str) -> str:
    """Return `name` if it can be one of a stored file; raises InvalidInputError."""
    if not is_name(name):
        raise InvalidInputError("this is no name of a stored file")
    return name


def gone() -> GoneError:
    """Return the error for a file that is not there."""
    return GoneError("this file was erased, as was asked for or as the server's settings say")
