"""What an attacker, a broken recorder or a broken server may send, and the one defined outcome of each."""

import base64
import struct

import numpy as np
import pytest

from common.audio.decode import decode_audio
from common.audio.fetch import fetch_audio
from common.audio.job_folder import job_folder
from common.audio.limits import SAMPLE_RATE, AudioLimits
from common.errors import (
    AudioFetchError,
    AudioUrlError,
    EmptyAudioError,
    InputTooLargeError,
    InvalidInputError,
    UnreadableAudioError,
)
from tests.support.audio_files import melody, pcm16, pyav_bytes, soundfile_bytes, video_bytes, wav_bytes
from tests.support.audio_server import raw_server

GUARDED = AudioLimits(max_download_bytes=4_000_000, max_duration_s=60, fetch_timeout_s=5)
OPEN = AudioLimits(max_download_bytes=4_000_000, max_duration_s=60, fetch_timeout_s=0.5, allow_private_addresses=True)


async def outcome(source, limits=GUARDED):
    """The seconds of audio that `source` gives, or the class of the error it raises."""
    refused = None
    try:
        with job_folder() as folder:
            path = await fetch_audio(source, folder, limits=limits)
            return len(decode_audio(path, limits=limits)) / SAMPLE_RATE
    except (InvalidInputError, AudioFetchError) as error:
        refused = error
    assert refused.param == "audio"
    assert not any(secret in refused.message for secret in ("/tmp", "token", "127.0.0.1", "Traceback"))
    return type(refused)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:9/?token=1",
        "http://127.0.0.1:22/",
        "http://127.1:9/",
        "http://2130706433:9/",
        "http://0x7f000001:9/",
        "http://0x7f.1:9/",
        "http://017700000001:9/",
        "http://0177.0.0.1:9/",
        "http://127.0.0.1.:9/",
        "http://localhost:9/",
        "http://LOCALHOST:9/",
        "http://0:9/",
        "http://0.0.0.0:9/",
        "http://[::]:9/",
        "http://[::1]:9/",
        "http://[::ffff:127.0.0.1]:9/",
        "http://[::ffff:7f00:1]:9/",
        "http://[::127.0.0.1]:9/",
        "http://[64:ff9b::7f00:1]:9/",
        "http://[2002:7f00:1::]:9/",
        "http://[fe80::1]:9/",
        "http://[fe80::1%25lo]:9/",
        "http://[fd00:ec2::254]/latest/meta-data/",
        "http://169.254.169.254/latest/meta-data/",
        "http://100.100.100.200/",
        "http://168.63.129.16/",
        "http://100.64.0.1/",
        "http://10.0.0.1/",
        "http://172.16.0.1/",
        "http://192.168.0.1/",
        "http://198.18.0.1/",
        "http://224.0.0.1/",
        "http://255.255.255.255/",
        "http://①②⑦.⓪.⓪.①:9/",
        "http://8.8.8.8@127.0.0.1:9/",
        "http://127.0.0.1:9#@8.8.8.8/",
        "http://" + "a" * 64 + ".example/",
        "http://\x00/",
        "http://127.0.0.1:9/\r\nX-Injected: 1",
        "http://",
        "http://host:99999/",
        "file:///etc/passwd",
        "FILE:/etc/passwd",
        "ftp://127.0.0.1/a.wav",
        "concat:/etc/passwd|/etc/hosts",
        "tcp://127.0.0.1:9",
        "jar:http://127.0.0.1:9/",
    ],
)
async def test_hostile_addresses(url):
    assert await outcome(url) is AudioUrlError


INLINE = {
    "empty text": ("", EmptyAudioError),
    "spaces": (" \n\t ", EmptyAudioError),
    "empty data URI": ("data:,", EmptyAudioError),
    "a file name": ("meeting.wav", InvalidInputError),
    "a path": ("../../etc/passwd", InvalidInputError),
    "a host without a scheme": ("//127.0.0.1:9/a.wav", InvalidInputError),
    "no comma": ("data:audio/wav;base64", InvalidInputError),
    "one base64 digit": ("A", InvalidInputError),
    "padding in the middle": ("AAA=AAAA", InvalidInputError),
    "a NUL": ("AAAA\0AAA", InvalidInputError),
    "not ASCII": ("ÄÄÄÄ", InvalidInputError),
    "base64 of a text": (base64.b64encode(b"hello, world" * 50).decode(), UnreadableAudioError),
    "a data URI in a data URI": ("data:,data:audio/wav;base64,AAAA", UnreadableAudioError),
    "too many base64 digits": ("A" * 6_000_000, InputTooLargeError),
    "too many escapes": ("data:," + "%00" * 4_000_001, InputTooLargeError),
    "broken escapes": ("data:audio/wav;base64,%ZZ%", InvalidInputError),
}


@pytest.mark.parametrize("name", INLINE)
async def test_hostile_texts(name):
    source, expected = INLINE[name]
    assert await outcome(source) is expected


def flac_that_claims(samples):
    data = bytearray(soundfile_bytes(melody(16_000), 16_000, container="FLAC"))
    data[21] = data[21] & 0xF0 | samples >> 32
    data[22:26] = struct.pack(">I", samples & 0xFFFFFFFF)
    return bytes(data)


def boxed(kind, *parts):
    content = b"".join(parts)
    return struct.pack(">I", len(content) + 8) + kind + content


def mp4_of_billions_of_samples():
    """An mp4 whose sample size table says: 4 billion samples of the same size."""
    data = pyav_bytes(melody(44_100), 44_100, container="ipod", codec="aac")
    place = data.index(b"stsz")
    return data[: place + 8] + struct.pack(">II", 1, 0xFFFFFFFF) + data[place + 16 :]


SPEECH = melody(16_000)
MP3 = pyav_bytes(melody(44_100), 44_100, container="mp3", codec="libmp3lame")
M4A = pyav_bytes(melody(44_100), 44_100, container="ipod", codec="aac")
NAN = SPEECH.copy()
NAN[-1] = np.nan
FILES = {
    "one byte": (b"\x00", UnreadableAudioError),
    "zeros": (bytes(100_000), UnreadableAudioError),
    "a web page": (b"<html><body>Log in</body></html>" * 50, UnreadableAudioError),
    "a zip": (b"PK\x03\x04" + bytes(500), UnreadableAudioError),
    "an ELF program": (b"\x7fELF\x02\x01\x01" + bytes(500), UnreadableAudioError),
    "an HLS playlist": (b"#EXTM3U\n#EXTINF:3,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n", UnreadableAudioError),
    "an HLS playlist of a file": (b"#EXTM3U\n#EXTINF:3,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n", UnreadableAudioError),
    "a concat script": (b"ffconcat version 1.0\nfile '/etc/passwd'\n", UnreadableAudioError),
    "ffmpeg metadata": (b";FFMETADATA1\ntitle=x\n", UnreadableAudioError),
    "an SDP session": (b"v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 9 RTP/AVP 0\r\n", UnreadableAudioError),
    "an SVG": (
        b"<svg xmlns='http://www.w3.org/2000/svg'><image href='file:///etc/passwd'/></svg>",
        UnreadableAudioError,
    ),
    "video only": (video_bytes(), UnreadableAudioError),
    "video and audio": (video_bytes(samples=melody(48_000)), 3.0),
    "RIFF and nothing": (b"RIFF\xff\xff\xff\xffWAVE", UnreadableAudioError),
    "wav header only": (wav_bytes(b""), EmptyAudioError),
    "wav of one byte": (wav_bytes(b"\x01"), EmptyAudioError),
    "wav of one sample": (wav_bytes(b"\x01\x00"), 1 / SAMPLE_RATE),
    "wav that claims 4 GiB": (wav_bytes(pcm16(SPEECH), data_bytes=0xFFFFFFFF), 3.0),
    "wav that claims double": (wav_bytes(pcm16(SPEECH), data_bytes=192_000), 3.0),
    "wav that claims nothing": (wav_bytes(pcm16(SPEECH), data_bytes=0), 3.0),
    "wav cut within a sample": (wav_bytes(pcm16(SPEECH))[:-1], 3.0),
    "wav of 4 GHz": (wav_bytes(pcm16(SPEECH), rate=0xFFFFFFFF), UnreadableAudioError),
    "wav of 0 Hz": (wav_bytes(pcm16(SPEECH), rate=0), UnreadableAudioError),
    "wav of 1 Hz": (wav_bytes(pcm16(SPEECH), rate=1), UnreadableAudioError),
    "wav of 1 MHz": (wav_bytes(pcm16(SPEECH), rate=1_000_000), InputTooLargeError),
    "wav of 9 channels": (wav_bytes(bytes(18_000), channels=9), InputTooLargeError),
    "wav of 1024 channels": (wav_bytes(bytes(204_800), channels=1024), InputTooLargeError),
    "wav of 65535 channels": (wav_bytes(bytes(204_800), channels=65_535), UnreadableAudioError),
    "wav of no channel": (wav_bytes(pcm16(SPEECH), channels=0), UnreadableAudioError),
    "wav of NaN": (soundfile_bytes(NAN, 16_000, subtype="FLOAT"), UnreadableAudioError),
    "a minute and a sample": (soundfile_bytes(np.zeros(60 * 16_000 + 1), 16_000, container="FLAC"), InputTooLargeError),
    "an hour in few bytes": (soundfile_bytes(np.zeros(3600 * 8_000), 8_000, container="FLAC"), InputTooLargeError),
    "flac that claims 2^36 samples": (flac_that_claims(2**36 - 1), 3.0),
    "flac that claims one sample": (flac_that_claims(1), 3.0),
    "flac that claims no sample": (flac_that_claims(0), 3.0),
    "mp3 behind junk": (bytes(range(1, 250)) * 12 + MP3, 3.0),
    "mp3 that says wav": (MP3, 3.0),
    "mp3 with a huge tag": (b"ID3\x03\0\0\x7f\x7f\x7f\x7f" + MP3, UnreadableAudioError),
    "m4a cut before its index": (M4A[: len(M4A) // 2], UnreadableAudioError),
    "m4a of 4 billion samples": (mp4_of_billions_of_samples(), EmptyAudioError),
    "mp4 of a box that holds itself": (M4A[:32] + boxed(b"moov", boxed(b"trak") * 3), UnreadableAudioError),
    "ogg of one page": (b"OggS" + bytes(23), UnreadableAudioError),
}


@pytest.mark.parametrize("name", FILES)
async def test_hostile_files(name):
    data, expected = FILES[name]
    result = await outcome("data:audio/wav;base64," + base64.b64encode(data).decode())
    if isinstance(expected, type):
        assert result is expected
    else:
        assert result == pytest.approx(expected, abs=0.1)


OK = b"HTTP/1.1 200 OK\r\n"
ANSWERS = {
    "nothing": (b"", AudioFetchError),
    "not HTTP": (b"\x00\x01\x02\r\n\r\n", AudioFetchError),
    "404": (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", AudioUrlError),
    "401": (b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n", AudioUrlError),
    "503": (b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", AudioFetchError),
    "no body": (OK + b"Content-Length: 0\r\n\r\n", EmptyAudioError),
    "a short body": (OK + b"Content-Length: 900000\r\n\r\n" + MP3, AudioFetchError),
    "a body announced too large": (OK + b"Content-Length: 99999999999999\r\n\r\n", InputTooLargeError),
    "a body too large": (OK + b"Connection: close\r\n\r\n" + bytes(4_100_000), InputTooLargeError),
    "two lengths": (OK + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", AudioFetchError),
    "gzip": (OK + b"Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc", AudioUrlError),
    "endless headers": (OK + b"X-A: b\r\n" * 100_000, AudioFetchError),
    "a loop": (b"HTTP/1.1 302 F\r\nLocation: /audio\r\nContent-Length: 0\r\n\r\n", AudioUrlError),
    "a redirect to a file": (b"HTTP/1.1 302 F\r\nLocation: file:///etc/passwd\r\n\r\n", AudioUrlError),
    "audio": (OK + b"Content-Length: %d\r\n\r\n" % len(MP3) + MP3, 3.0),
}


@pytest.mark.parametrize("name", ANSWERS)
async def test_hostile_answers(name):
    answer, expected = ANSWERS[name]
    async with raw_server(answer) as url:
        result = await outcome(url, OPEN)
    if isinstance(expected, type):
        assert result is expected
    else:
        assert result == pytest.approx(expected, abs=0.1)


async def test_a_silent_server():
    async with raw_server(b"", hold=True) as url:
        assert await outcome(url, OPEN) is AudioFetchError
