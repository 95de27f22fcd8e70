"""One setting as an environment variable: how its text is read, and what is wrong with it."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar
from urllib.parse import urlsplit

from common.errors import ConfigurationError

MAX_PORT = 65_535

ValueT = TypeVar("ValueT")


@dataclass(frozen=True, slots=True)
class Variable(Generic[ValueT]):
    """One environment variable: its name, meaning, default per profile, and how its text is read."""

    name: str
    default: ValueT
    meaning: str
    parse: Callable[[str], ValueT]
    laptop: ValueT | None = None
    aliases: tuple[str, ...] = ()

    def read(self, env: Mapping[str, str], *, laptop: bool) -> ValueT:
        """Return the value in `env`, else the profile's default; raises ConfigurationError naming the variable."""
        for name in (self.name, *self.aliases):
            text = env.get(name, "").strip()
            if text:
                return self._parsed(name, text)
        return self.laptop if laptop and self.laptop is not None else self.default

    def _parsed(self, name: str, text: str) -> ValueT:
        try:
            return self.parse(text)
        except ValueError as error:
            raise ConfigurationError(f"{name} is not valid: {error}", param=name) from None


def positive(text: str) -> float:
    """Read a number above zero."""
    value = float(text)
    if not (math.isfinite(value) and value > 0):
        raise ValueError("expected a number above zero")
    return value


def at_least(least: float) -> Callable[[str], float]:
    """Return a reader of numbers of `least` or more."""

    def parse(text: str) -> float:
        value = positive(text)
        if value < least:
            raise ValueError(f"expected {least:g} or more")
        return value

    return parse


def between(least: float, most: float) -> Callable[[str], float]:
    """Return a reader of numbers from `least` to `most`."""

    def parse(text: str) -> float:
        value = positive(text)
        if not least <= value <= most:
            raise ValueError(f"expected {least:g} to {most:g}")
        return value

    return parse


def positive_int(text: str) -> int:
    """Read a whole number above zero."""
    value = int(text)
    if value < 1:
        raise ValueError("expected a whole number above zero")
    return value


def not_negative_int(text: str) -> int:
    """Read a whole number, 0 included."""
    value = int(text)
    if value < 0:
        raise ValueError("expected a whole number, 0 or more")
    return value


def price(text: str) -> float:
    """Read an amount of money, 0 included."""
    value = float(text)
    if not (math.isfinite(value) and value >= 0):
        raise ValueError("expected a number of 0 or more")
    return value


def port_number(text: str) -> int:
    """Read a TCP port; 0 is none."""
    if not (text.isascii() and text.isdigit() and int(text) <= MAX_PORT):
        raise ValueError(f"expected a whole number from 0 to {MAX_PORT}")
    return int(text)


def base_url(text: str) -> str:
    """Read a URL to which paths are added, and which is sent a key of its own."""
    try:
        parts = urlsplit(text)
        is_base = bool(parts.hostname) and parts.port != 0
    except ValueError:
        raise ValueError("expected an http(s) URL") from None
    if parts.scheme not in {"http", "https"} or not is_base:
        raise ValueError("expected an http(s) URL")
    if parts.username is not None or "?" in text or "#" in text:
        raise ValueError("expected a URL without a user, a query or a fragment")
    return text.rstrip("/")


def header_text(text: str) -> str:
    """Read what an HTTP header can carry."""
    if not (text.isascii() and text.isprintable()):
        raise ValueError("expected one line of plain characters")
    return text


def flag(text: str) -> bool:
    """Read true or false."""
    known = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}
    if text.lower() not in known:
        raise ValueError("expected true or false")
    return known[text.lower()]


def one_of(*options: str) -> Callable[[str], str]:
    """Return a reader of one of the `options`."""

    def parse(text: str) -> str:
        if text not in options:
            raise ValueError(f"expected one of {', '.join(options)}")
        return text

    return parse
