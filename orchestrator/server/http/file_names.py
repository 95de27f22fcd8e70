"""What a recording is called by its sender: shown, and never a path."""

import re
import unicodedata
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

MAX_CHARS = 200
UNNAMED = "recording"


def safe_name(given: str) -> str:
    """Return the last part of a file name without controls and invisible marks, at most 200 characters."""
    name = re.split(r"[/\\]", given)[-1]
    name = "".join(char for char in name if unicodedata.category(char)[0] != "C")
    name = " ".join(name.split())
    if not name.strip(". "):
        return UNNAMED
    if len(name) <= MAX_CHARS:
        return name
    suffix = PurePosixPath(name).suffix[:20]
    return name[: MAX_CHARS - len(suffix)] + suffix


def name_in_url(url: str) -> str:
    """Return the name of the file at a URL, without its query."""
    try:
        return safe_name(unquote(urlsplit(url).path))
    except ValueError:
        return UNNAMED
