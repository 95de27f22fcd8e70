import base64

import pytest

from common.audio.fetch import fetch_audio
from common.audio.inline import inline_bytes
from common.audio.job_folder import job_folder
from common.audio.limits import AudioLimits
from common.errors import AudioUrlError, InputTooLargeError, InvalidInputError

LIMITS = AudioLimits()
DATA = bytes(range(256)) * 5
TEXT = base64.b64encode(DATA).decode()


@pytest.mark.parametrize(
    "source",
    [
        TEXT,
        TEXT.rstrip("="),
        base64.urlsafe_b64encode(DATA).decode(),
        base64.encodebytes(DATA).decode(),
        TEXT.replace("A", "A \r\n\t"),
        f"data:audio/wav;base64,{TEXT}",
        f"DATA:;BASE64,{TEXT}",
        "data:audio/wav;codecs=1;base64," + TEXT.replace("+", "%2B").replace("/", "%2F").replace("=", "%3D"),
        "data:," + "".join(f"%{byte:02x}" for byte in DATA),
    ],
    ids=["plain", "unpadded", "url-safe", "lines", "spaces", "data", "DATA", "escaped", "percent"],
)
def test_the_bytes_of_inline_audio(source):
    assert inline_bytes(source, limits=LIMITS) == DATA


@pytest.mark.parametrize("source", ["meeting.wav", "./a/b.mp3", "A", "AAAA=AAA", "Zm9v!", "hello wörld", "AA\0A"])
def test_text_that_is_no_audio_says_what_would_be(source):
    with pytest.raises(InvalidInputError, match=r"http\(s\) URL, a data URI or base64") as caught:
        inline_bytes(source, limits=LIMITS)
    assert source not in caught.value.message
    assert caught.value.param == "audio"


def test_a_data_uri_needs_a_comma():
    with pytest.raises(InvalidInputError, match="no comma"):
        inline_bytes("data:audio/wav;base64", limits=LIMITS)


@pytest.mark.parametrize("source", [TEXT, f"data:;base64,{TEXT}", "data:," + "%00" * len(DATA)])
def test_the_limit_holds_to_the_byte(source):
    assert len(inline_bytes(source, limits=AudioLimits(max_download_bytes=len(DATA)))) == len(DATA)
    with pytest.raises(InputTooLargeError):
        inline_bytes(source, limits=AudioLimits(max_download_bytes=len(DATA) - 1))


@pytest.mark.parametrize("source", ["file:///etc/passwd", "ftp://host/a", "gopher://x", "C:\\meeting.wav", "s3://b/k"])
async def test_other_schemes_are_refused(tmp_path, source):
    with pytest.raises(AudioUrlError, match=r"http\(s\) URL, a data URI or base64"):
        await fetch_audio(source, tmp_path, limits=LIMITS)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("source", [TEXT, f" data:;base64,{TEXT}\n"])
async def test_inline_audio_becomes_one_file(source):
    with job_folder() as folder:
        path = await fetch_audio(source, folder, limits=LIMITS)
        assert [path] == list(folder.iterdir())
        assert path.read_bytes() == DATA


def test_the_job_folder_is_private_and_goes_with_its_content(tmp_path):
    def fail_inside():
        with job_folder(tmp_path) as folder:
            assert folder.stat().st_mode & 0o777 == 0o700
            assert folder.parent == tmp_path
            (folder / "audio").write_bytes(b"x")
            (folder / "sub").mkdir()
            raise KeyError

    with pytest.raises(KeyError):
        fail_inside()
    assert not list(tmp_path.iterdir())
