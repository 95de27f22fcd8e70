import socket

import pytest

from common.audio import addresses
from common.audio.fetch import fetch_audio
from common.audio.limits import AudioLimits
from common.errors import AudioFetchError, AudioUrlError
from tests.support.audio_server import audio_server, body, raw_server, status

GUARDED = AudioLimits()
OPEN = AudioLimits(allow_private_addresses=True, max_redirects=3)


@pytest.fixture
def only_127_0_0_1_is_public(monkeypatch):
    """Let loopback stand for the internet, and the rest of 127/8 for the private network behind the worker."""
    monkeypatch.setattr(addresses, "is_public", lambda address: address == "127.0.0.1")


def name_server(monkeypatch, answers):
    """Answer each lookup of any name with the next list of addresses."""
    turns = iter(answers)

    def getaddrinfo(host, port, *args, **kwargs):
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, int(port))) for address in next(turns)]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0.0.0.0"])
async def test_a_private_address_gets_no_connection(tmp_path, host):
    async with audio_server({"/a": body(b"secret")}) as server:
        with pytest.raises(AudioUrlError, match="private network address"):
            await fetch_audio(f"http://{host}:{server.port}/a", tmp_path, limits=GUARDED)
    assert server.asked == []


@pytest.mark.usefixtures("only_127_0_0_1_is_public")
async def test_a_redirect_to_a_private_address_is_not_followed(tmp_path):
    async with (
        audio_server({"/a": body(b"secret")}, host="127.0.0.2") as inside,
        audio_server({"/a": status(302, Location=f"{inside.url}/a")}) as outside,
    ):
        with pytest.raises(AudioUrlError, match="private network address"):
            await fetch_audio(f"{outside.url}/a", tmp_path, limits=GUARDED)
    assert len(outside.asked) == 1
    assert inside.asked == []


@pytest.mark.usefixtures("only_127_0_0_1_is_public")
async def test_a_name_server_that_changes_its_answer_gains_nothing(tmp_path, monkeypatch):
    async with (
        audio_server({"/a": status(302, Location="/b", Connection="close"), "/b": body(b"x")}) as outside,
        audio_server({"/b": body(b"secret")}, host="127.0.0.2", port=outside.port) as inside,
    ):
        name_server(monkeypatch, [["127.0.0.1"], ["127.0.0.2"], ["127.0.0.2"]])
        path = await fetch_audio(f"http://rebind.example:{outside.port}/a", tmp_path, limits=GUARDED)
    assert path.read_bytes() == b"x"  # the redirect went to the vetted address again
    assert inside.asked == []


@pytest.mark.usefixtures("only_127_0_0_1_is_public")
async def test_of_mixed_answers_only_the_public_ones_are_tried(tmp_path, monkeypatch):
    async with (
        audio_server({"/a": body(b"x")}) as outside,
        audio_server({"/a": body(b"secret")}, host="127.0.0.2", port=outside.port) as inside,
    ):
        name_server(monkeypatch, [["127.0.0.2", "127.0.0.1", "127.0.0.3"]])
        path = await fetch_audio(f"http://mixed.example:{outside.port}/a", tmp_path, limits=GUARDED)
    assert path.read_bytes() == b"x"
    assert inside.asked == []


@pytest.mark.usefixtures("only_127_0_0_1_is_public")
async def test_a_public_address_works_under_the_guard(tmp_path):
    async with audio_server({"/a": status(307, Location="b?x=1"), "/b": body(b"x")}) as server:
        assert (await fetch_audio(f"{server.url}/a", tmp_path, limits=GUARDED)).read_bytes() == b"x"
    assert [path for path, _ in server.asked] == ["/a", "/b?x=1"]


async def test_a_name_that_does_not_resolve_is_a_fetch_error(tmp_path, monkeypatch):
    def getaddrinfo(*args, **kwargs):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    with pytest.raises(AudioFetchError) as caught:
        await fetch_audio("http://secret-name.example/a", tmp_path, limits=GUARDED)
    assert "secret-name" not in caught.value.message


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
async def test_redirects_are_followed_up_to_the_limit(tmp_path, code):
    hops = {f"/{n}": status(code, Location=f"/{n + 1}") for n in range(9)}
    async with audio_server({**hops, "/9": body(b"x")}) as server:
        assert (await fetch_audio(f"{server.url}/6", tmp_path, limits=OPEN)).read_bytes() == b"x"
        with pytest.raises(AudioUrlError, match="redirects more than 3 times"):
            await fetch_audio(f"{server.url}/5", tmp_path, limits=OPEN)


@pytest.mark.parametrize("location", ["file:///etc/passwd", "ftp://h/", "http://[::1", "data:,x", "http://u:p@h/"])
async def test_a_redirect_to_anything_but_a_plain_web_address_ends_there(tmp_path, location):
    async with raw_server(f"HTTP/1.1 302 F\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n".encode()) as url:
        with pytest.raises(AudioUrlError):
            await fetch_audio(url, tmp_path, limits=OPEN)
    assert not list(tmp_path.iterdir())


async def test_a_redirect_without_a_target_ends_there(tmp_path):
    async with audio_server({"/a": status(302)}) as server:
        with pytest.raises(AudioUrlError, match="without saying where to"):
            await fetch_audio(f"{server.url}/a", tmp_path, limits=OPEN)
