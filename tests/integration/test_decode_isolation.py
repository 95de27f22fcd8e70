"""A file that names other files or hosts must reach neither."""

import contextlib
import socket

import av
import pytest

from common.audio.decode import decode_audio
from common.audio.limits import AudioLimits
from common.errors import UnreadableAudioError
from tests.support.audio_files import melody, pyav_bytes, soundfile_bytes


@pytest.fixture
def neighbours(tmp_path):
    """Good audio beside the hostile file: whoever follows a reference finds it."""
    (tmp_path / "good.wav").write_bytes(soundfile_bytes(melody(16_000), 16_000))
    (tmp_path / "good.ts").write_bytes(pyav_bytes(melody(48_000), 48_000, container="mpegts", codec="mp2"))
    return tmp_path


@pytest.fixture
def listener():
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        yield server


PLAYLISTS = {
    "hls": "#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\n{target}\n#EXT-X-ENDLIST\n",
    "concat": "ffconcat version 1.0\nfile '{target}'\n",
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio {port} RTP/AVP 0\n",
    "dash": "<?xml version='1.0'?><MPD type='static' xmlns='urn:mpeg:dash:schema:mpd:2011'><Period>"
    "<AdaptationSet mimeType='audio/mp4'><Representation id='1'><BaseURL>{target}</BaseURL>"
    "</Representation></AdaptationSet></Period></MPD>",
    "metadata": ";FFMETADATA1\ntitle={target}\n",
    "asx": "<asx version='3.0'><entry><ref href='{target}'/></entry></asx>",
    "pls": "[playlist]\nFile1={target}\nNumberOfEntries=1\n",
    "rtsp": "[Reference]\nRef1={target}\n",
}


@pytest.mark.parametrize("kind", PLAYLISTS)
@pytest.mark.parametrize("target", ["http://127.0.0.1:{port}/a.ts", "tcp://127.0.0.1:{port}", "good.ts", "good.wav"])
def test_playlists_are_refused_and_followed_nowhere(neighbours, listener, kind, target):
    port = listener.getsockname()[1]
    hostile = neighbours / "audio.m3u8"
    hostile.write_text(PLAYLISTS[kind].format(target=target.format(port=port), port=port))
    with pytest.raises(UnreadableAudioError):
        decode_audio(hostile, limits=AudioLimits())
    with pytest.raises(BlockingIOError):
        listener.accept()


@pytest.mark.parametrize(("kind", "target"), [("hls", "good.ts"), ("concat", "good.wav")])
def test_without_the_guard_ffmpeg_would_have_followed(neighbours, kind, target):
    hostile = neighbours / "audio.m3u8"
    hostile.write_text(PLAYLISTS[kind].format(target=target))
    with av.open(str(hostile)) as container:
        assert sum(frame.samples for frame in container.decode(audio=0)) > 40_000


def test_without_the_guard_ffmpeg_would_have_connected(neighbours, listener):
    hostile = neighbours / "audio.m3u8"
    hostile.write_text(PLAYLISTS["concat"].format(target=f"tcp://127.0.0.1:{listener.getsockname()[1]}"))
    options = {"safe": "0", "protocol_whitelist": "file,tcp", "timeout": "100000"}
    with contextlib.suppress(av.FFmpegError), av.open(str(hostile), options=options, timeout=0.3):
        pass
    connection, _ = listener.accept()
    connection.close()
