"""From where a browser sends a request: this server's own page, a page that is let in, or somebody else's."""

import re
from collections.abc import Collection
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.requests import Request

PORTS = {"http": 80, "https": 443}
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
HOST = re.compile(r"([\w.-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?", re.ASCII)
OWN_SITE = frozenset({"same-origin", "none"})  # none: typed in by the user


def host_is_loopback(request: Request) -> bool:
    """Tell whether the caller means this machine, rather than a name that somebody's DNS points here."""
    match = HOST.fullmatch(request.headers.get("host", ""))
    name = match[1].strip("[]").lower() if match is not None else ""
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False


def is_own_page(request: Request) -> bool:
    """Tell whether no other site's page sent this: it has the server's own origin, or is of no page at all."""
    if request.headers.get("sec-fetch-site", "none") not in OWN_SITE:
        return False
    origin = request.headers.get("origin")
    if origin is None:
        return True
    given = _authority(origin)
    return given is not None and given == _authority(f"{_scheme(origin)}://{request.headers.get('host', '')}")


def is_allowed_page(request: Request, allowed: Collection[str]) -> bool:
    """Tell whether this may have effects without a key: it is the own page's, or that of an origin in `allowed`."""
    return is_own_page(request) or request.headers.get("origin") in allowed


def _scheme(origin: str) -> str:
    return origin.partition("://")[0]


def _authority(origin: str) -> tuple[str, int | None] | None:
    """Return host and port of an origin, None for one that is of no site, as `null`.

    The scheme does not count beyond that, as a proxy may speak TLS in the server's place.
    """
    try:
        parts = urlsplit(origin)
        if parts.scheme not in PORTS or not parts.hostname:
            return None
        return parts.hostname.lower(), parts.port or PORTS[parts.scheme]
    except ValueError:
        return None
