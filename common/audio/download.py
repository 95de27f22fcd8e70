"""Audio at an http(s) URL: guarded against private networks, endless bodies and slow servers."""

import asyncio
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import aiohttp
from yarl import URL

from common.audio.addresses import PublicSockets
from common.audio.limits import AudioLimits
from common.errors import AudioFetchError, AudioUrlError

REDIRECTS = {301, 302, 303, 307, 308}
CHUNK_BYTES = 1024 * 1024
# RFC 3986's characters. A URL of only these is sent as it is: its signature may cover every byte.
ENCODED_URL = re.compile(r"(?:[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=]|%[0-9A-Fa-f]{2})+")


async def download(source: str, path: Path, *, limits: AudioLimits) -> None:
    """Write the body found at the URL `source` to `path`.

    `limits.fetch_timeout_s` covers everything: names, redirects, the body. Raises AudioUrlError for a URL that is
    malformed, refused, or answered with a client error, InputTooLargeError above the limit of bytes, and
    AudioFetchError for whatever may work another time.
    """
    try:
        async with asyncio.timeout(limits.fetch_timeout_s):
            await _follow(parse_url(source), path, limits)
    except TimeoutError:
        raise AudioFetchError(
            f"the audio did not arrive within {limits.fetch_timeout_s:g} s; try again or use a faster server",
            param="audio",
        ) from None


async def _follow(url: URL, path: Path, limits: AudioLimits) -> None:
    """Fetch `url` and what it redirects to, hop by hop; every hop is checked like the first."""
    sockets = PublicSockets()
    async with _session(None if limits.allow_private_addresses else sockets) as session:
        for _ in range(limits.max_redirects + 1):
            with _as_parley_errors(sockets):
                async with session.get(url, allow_redirects=False) as answer:
                    if answer.status not in REDIRECTS:
                        await _save(answer, path, limits)
                        return
                    url = next_hop(url, answer.headers.get("Location", ""))
    raise AudioUrlError(f"the audio URL redirects more than {limits.max_redirects} times", param="audio")


def _session(sockets: PublicSockets | None) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(resolver=aiohttp.ThreadedResolver(), socket_factory=sockets),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),  # one deadline, in download()
        headers={"Accept-Encoding": "identity", "User-Agent": "parley"},
        auto_decompress=False,
        trust_env=False,
    )


def parse_url(text: str, *, base: URL | None = None) -> URL:
    """Return the http(s) URL in `text`, relative to `base`; raises AudioUrlError if it cannot be fetched."""
    try:
        url = URL(text, encoded=ENCODED_URL.fullmatch(text) is not None)
        url = base.join(url) if base else url
        fetchable = text.isprintable() and url.scheme in {"http", "https"} and bool(url.host) and bool(url.port)
        credentials = url.user is not None or url.password is not None
    except ValueError:
        raise AudioUrlError("the audio URL is malformed", param="audio") from None
    if not fetchable:
        raise AudioUrlError(
            "the audio URL must be http:// or https:// with a host name and no line breaks", param="audio"
        )
    if credentials:
        raise AudioUrlError("the audio URL has a user name or password; use a signed URL instead", param="audio")
    return url


def next_hop(current: URL, location: str) -> URL:
    """Return where a redirect leads; raises AudioUrlError for one to nowhere or from https down to http."""
    if not location:
        raise AudioUrlError("the audio URL redirects without saying where to", param="audio")
    target = parse_url(location, base=current)
    if current.scheme == "https" and target.scheme == "http":
        raise AudioUrlError("the audio URL redirects from https to unprotected http", param="audio")
    return target


@contextmanager
def _as_parley_errors(sockets: PublicSockets) -> Iterator[None]:
    """Turn aiohttp's errors into Parley's, without the host names that aiohttp writes into them."""
    sockets.refused = False
    try:
        yield
    except ValueError:  # aiohttp.InvalidURL, and UnicodeError for a host name that IDNA cannot spell
        raise AudioUrlError("the audio URL is malformed", param="audio") from None
    except aiohttp.ClientSSLError:
        raise AudioUrlError("the audio URL's server has no valid TLS certificate", param="audio") from None
    except aiohttp.ClientPayloadError:
        raise AudioFetchError("the audio's server cut its answer short; try again", param="audio") from None
    except (aiohttp.ClientError, ConnectionError):
        if sockets.refused:
            raise AudioUrlError(
                "the audio URL leads to a private network address; use a public URL or send the audio as base64",
                param="audio",
            ) from None
        raise AudioFetchError(
            "the audio's server cannot be reached or does not speak HTTP; check the URL or try again", param="audio"
        ) from None


async def _save(answer: aiohttp.ClientResponse, path: Path, limits: AudioLimits) -> None:
    _check_answer(answer)
    limits.check_bytes(answer.content_length or 0)
    received_bytes = 0
    with await asyncio.to_thread(path.open, "wb") as file:
        async for chunk in answer.content.iter_chunked(CHUNK_BYTES):
            received_bytes += len(chunk)
            limits.check_bytes(received_bytes)
            await asyncio.to_thread(file.write, chunk)


def _check_answer(answer: aiohttp.ClientResponse) -> None:
    if answer.status >= 500:
        raise AudioFetchError(f"the audio's server answered {answer.status}; try again later", param="audio")
    if not 200 <= answer.status < 300:
        raise AudioUrlError(
            f"the audio URL answered {answer.status}; check that it is public and not expired", param="audio"
        )
    if answer.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
        raise AudioUrlError(
            "the audio URL's server compresses the file; store it without Content-Encoding", param="audio"
        )
