"""What is shown and remembered of a recording's URL: nothing that gives access to it."""

import hashlib
from urllib.parse import parse_qsl, urlencode, urlsplit

from orchestrator.upload import is_remote, shown_path

SIGNING_PREFIXES = ("x-amz-", "x-goog-")
# Names that sign a URL only where this one is there as well: elsewhere they may tell recordings apart.
SIGNED_BY = {
    "signature": {"awsaccesskeyid", "googleaccessid", "expires", "policy", "key-pair-id", "signature"},  # S3, GCS, CDNs
    "sig": {  # Azure
        "sig", "se", "sp", "spr", "sr", "ss", "srt", "st", "sv", "skoid", "sktid", "skt", "ske", "sks", "skv",
    },
}  # fmt: skip


def shown_audio(audio: str) -> str:
    """Return a path or URL for a message, on one line, a URL without its query."""
    return shown_path(_bare(audio) if is_remote(audio) else audio)


def remembered_url(url: str) -> str:
    """Return what tells a remote recording from others, the same when its URL is signed anew.

    What else is in the query is remembered as a digest.
    """
    if url.strip()[:5].lower() == "data:":
        return f"data:{_digest(url)}"
    asked = parse_qsl(urlsplit(url).query, keep_blank_values=True)
    names = {name.lower() for name, _ in asked}
    signing = set().union(*(also for name, also in SIGNED_BY.items() if name in names))
    rest = [(name, value) for name, value in asked if not _signs(name.lower(), signing)]
    return f"{_bare(url)}#{_digest(urlencode(rest))}" if rest else _bare(url)


def _bare(url: str) -> str:
    if url.strip()[:5].lower() == "data:":
        return "data:…"
    return urlsplit(url)._replace(query="", fragment="").geturl()


def _signs(name: str, signing: set[str]) -> bool:
    return name in signing or name.startswith(SIGNING_PREFIXES)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()
