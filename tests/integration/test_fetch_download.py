import os
import socket
import time

import pytest

from common.audio.fetch import fetch_audio
from common.audio.limits import AudioLimits
from common.errors import AudioFetchError, AudioUrlError, InputTooLargeError
from tests.support.audio_server import audio_server, body, chunked, raw_server, status

OPEN = AudioLimits(allow_private_addresses=True)
AUDIO = os.urandom(300_000)


async def test_the_body_arrives_byte_for_byte_in_the_folder(tmp_path):
    async with audio_server({"/a": body(AUDIO), "/c": chunked(10 * 64 * 1024)}) as server:
        path = await fetch_audio(f"  {server.url}/a\n", tmp_path, limits=OPEN)
        assert path.parent == tmp_path
        assert path.read_bytes() == AUDIO
        path = await fetch_audio(f"{server.url}/c", tmp_path, limits=OPEN)
        assert path.read_bytes() == bytes(10 * 64 * 1024)
    assert len(list(tmp_path.iterdir())) == 1


async def test_the_request_asks_for_no_compression_and_sends_a_signed_url_unchanged(tmp_path):
    async with audio_server({"/a b/ü.wav": body(AUDIO)}) as server:
        query = "X-Amz-Signature=a%2Bb%2f%3D&sig=x+y~(z)&e=%e2%82%ac"
        await fetch_audio(f"{server.url}/a%20b/%c3%bc.wav?{query}", tmp_path, limits=OPEN)
    [(path, headers)] = server.asked
    assert path == f"/a%20b/%c3%bc.wav?{query}"
    assert headers["Accept-Encoding"] == "identity"


async def test_a_url_with_spaces_and_umlauts_is_encoded(tmp_path):
    async with audio_server({"/a b/ü.wav": body(AUDIO)}) as server:
        path = await fetch_audio(f"{server.url}/a b/ü.wav", tmp_path, limits=OPEN)
    assert path.read_bytes() == AUDIO


@pytest.mark.parametrize("code", [204, 206])
async def test_any_success_is_taken(tmp_path, code):
    async with audio_server({"/a": status(code)}) as server:
        assert (await fetch_audio(f"{server.url}/a", tmp_path, limits=OPEN)).read_bytes() == b""


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (300, AudioUrlError),
        (304, AudioUrlError),
        (400, AudioUrlError),
        (403, AudioUrlError),
        (404, AudioUrlError),
        (410, AudioUrlError),
        (500, AudioFetchError),
        (503, AudioFetchError),
    ],
)
async def test_an_answer_that_is_no_success_names_its_code_and_nothing_else(tmp_path, code, error):
    async with audio_server({"/secret": status(code)}) as server:
        with pytest.raises(error) as caught:
            await fetch_audio(f"{server.url}/secret?token=t0ken", tmp_path, limits=OPEN)
    assert str(code) in caught.value.message
    assert not any(word in caught.value.message for word in ("secret", "t0ken", "127.0.0.1", str(server.port)))
    assert caught.value.param == "audio"


async def test_too_many_bytes_are_refused_by_their_announcement(tmp_path):
    async with audio_server({"/a": body(AUDIO)}) as server:
        with pytest.raises(InputTooLargeError, match="larger than the limit of 299999 bytes"):
            await fetch_audio(
                f"{server.url}/a",
                tmp_path,
                limits=AudioLimits(allow_private_addresses=True, max_download_bytes=299_999),
            )
    assert not list(tmp_path.iterdir())


async def test_an_unannounced_endless_body_stops_at_the_limit(tmp_path):
    limits = AudioLimits(allow_private_addresses=True, max_download_bytes=1_000_000)
    async with audio_server({"/a": chunked(1024**3)}) as server:
        with pytest.raises(InputTooLargeError):
            await fetch_audio(f"{server.url}/a", tmp_path, limits=limits)
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) <= 1_000_000


HEAD = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    "answer",
    [
        HEAD + b"Content-Length: 1000\r\n\r\n" + b"x" * 999,
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nabcde\r\n0\r\n\r\n",
        HEAD + b"Content-Length: -1\r\n\r\nabc",
        HEAD + b"Content-Length: many\r\n\r\nabc",
        HEAD + b"X: " + b"y" * 200_000 + b"\r\n\r\n",
        b"",
        b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
    ],
    ids=["short", "cut chunk", "bad chunk", "negative", "no number", "huge header", "nothing", "not http"],
)
async def test_a_broken_answer_is_the_servers_fault(tmp_path, answer):
    async with raw_server(answer) as url:
        with pytest.raises(AudioFetchError) as caught:
            await fetch_audio(url, tmp_path, limits=OPEN)
    assert "127.0.0.1" not in caught.value.message


async def test_a_body_without_any_length_ends_with_the_connection(tmp_path):
    async with raw_server(HEAD + b"Connection: close\r\n\r\nabc") as url:
        assert (await fetch_audio(url, tmp_path, limits=OPEN)).read_bytes() == b"abc"


@pytest.mark.parametrize("answer", [b"", HEAD, HEAD + b"Content-Length: 1000\r\n\r\nabc"])
async def test_one_deadline_covers_headers_and_body(tmp_path, answer):
    limits = AudioLimits(allow_private_addresses=True, fetch_timeout_s=0.3)
    async with raw_server(answer, hold=True) as url:
        started = time.perf_counter()
        with pytest.raises(AudioFetchError, match=r"did not arrive within 0\.3 s"):
            await fetch_audio(url, tmp_path, limits=limits)
        assert time.perf_counter() - started < 3


@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate", "zstd", "x-unknown"])
async def test_a_compressed_answer_is_refused_and_never_unpacked(tmp_path, encoding):
    head = HEAD + f"Content-Encoding: {encoding}\r\nContent-Length: 3\r\n\r\nabc".encode()
    async with raw_server(head) as url:
        with pytest.raises(AudioUrlError, match="compresses"):
            await fetch_audio(url, tmp_path, limits=OPEN)


async def test_identity_is_not_compression(tmp_path):
    async with raw_server(HEAD + b"Content-Encoding: Identity\r\nContent-Length: 3\r\n\r\nabc") as url:
        assert (await fetch_audio(url, tmp_path, limits=OPEN)).read_bytes() == b"abc"


async def test_a_closed_port_is_a_fetch_error(tmp_path):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        with pytest.raises(AudioFetchError, match="cannot be reached"):
            await fetch_audio(f"http://127.0.0.1:{closed.getsockname()[1]}/", tmp_path, limits=OPEN)


async def test_a_server_that_does_not_speak_tls_has_no_valid_certificate(tmp_path):
    async with audio_server({"/a": body(AUDIO)}) as server:
        with pytest.raises(AudioUrlError, match="TLS certificate"):
            await fetch_audio(f"https://127.0.0.1:{server.port}/a", tmp_path, limits=OPEN)


async def test_the_proxy_of_the_environment_is_not_used(tmp_path, monkeypatch):
    async with audio_server({"/a": body(AUDIO)}) as server, audio_server({"/a": body(b"proxied")}) as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        path = await fetch_audio(f"{server.url}/a", tmp_path, limits=OPEN)
    assert path.read_bytes() == AUDIO
    assert proxy.asked == []
