"""Values that no message may show, in whatever spelling an error repeats them."""

import json
import re
from collections.abc import Iterable, Iterator
from urllib.parse import quote

from orchestrator.deploy.env_values import may_be_shown

SHORT_CHARS = 4  # below it a value is hidden where it stands by itself only, or it would tear words apart
MASK = "…"


class Hidden:
    """The values; those of an account's endpoints are added as they are read."""

    def __init__(self, values: Iterable[str]) -> None:
        self._values = {value for value in values if value}

    def add_env(self, env: object) -> None:
        """Hide an endpoint's variables, of whatever form they are, but settings of Parley that are no secrets."""
        if isinstance(env, dict):
            env = [value for name, value in env.items() if not may_be_shown(str(name), str(value))]
        self._values |= set(_texts(env))

    def masked(self, text: str) -> str:
        """Return the text without the values."""
        for value in sorted(self._values, key=len, reverse=True):
            for spelling in sorted(_spellings(value), key=len, reverse=True):
                pattern = re.escape(spelling) if len(value) >= SHORT_CHARS else rf"(?<!\w){re.escape(spelling)}(?!\w)"
                text = re.sub(pattern, MASK, text)
        return text


def _spellings(value: str) -> set[str]:
    as_json = (json.dumps(value, ensure_ascii=ascii_only)[1:-1] for ascii_only in (True, False))
    return {value, *as_json, repr(value)[1:-1], quote(value, safe=""), " ".join(value.split())} - {""}


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, (dict, list)):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _texts(one)
    elif value not in (None, "", True, False):
        yield str(value)
