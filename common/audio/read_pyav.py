"""Every other container, read with the ffmpeg libraries inside PyAV: the first audio track, damage skipped."""

from collections.abc import Iterator
from itertools import chain, groupby
from pathlib import Path

import av
import numpy as np
from av import AudioFrame, AudioStream
from av.container import InputContainer
from av.error import FFmpegError, PatchWelcomeError

from common.audio.blocks import BLOCK_FRAMES, Block
from common.errors import UnreadableAudioError

# ffmpeg's names. No playlist, script, image or device format: those follow references to other files and hosts.
DEMUXERS = "aac,ac3,aiff,amr,asf,au,avi,caf,eac3,flac,flv,matroska,mov,mp3,mpeg,mpegts,ogg,w64,wav,wv"


def pyav_blocks(path: Path) -> Iterator[Block]:
    """Yield the blocks of the first audio track; raises UnreadableAudioError if there is none to decode."""
    with path.open("rb") as file, _opened(file.fileno()) as container:
        if not container.streams.audio:
            raise UnreadableAudioError("the file has no audio track", param="audio")
        try:
            for _, frames in groupby(_frames(container), key=_format):
                yield from _blocks(frames)
        except FFmpegError:
            raise UnreadableAudioError("the audio's channel layout cannot be decoded", param="audio") from None


def _opened(descriptor: int) -> InputContainer:
    """Open what `descriptor` holds, whatever its name says; ffmpeg can reach no other file and no network.

    `protocol_whitelist` leaves it the open descriptor alone (https://ffmpeg.org/ffmpeg-protocols.html#fd).
    """
    options = {"fd": str(descriptor), "protocol_whitelist": "fd", "format_whitelist": DEMUXERS}
    try:
        return av.open("fd:", mode="r", options=options, metadata_errors="replace")
    except (FFmpegError, ValueError):
        raise UnreadableAudioError(
            "the file is not audio in a known format, or it is cut off before its index; "
            "send wav, flac, mp3, ogg, m4a, webm or mp4",
            param="audio",
        ) from None


def _frames(container: InputContainer) -> Iterator[AudioFrame]:
    stream = container.streams.audio[0]
    decoded = damaged = 0
    for packet in _packets(container, stream):
        try:
            frames = stream.decode(packet)
        except FFmpegError:
            damaged += 1
            continue
        decoded += len(frames)
        yield from frames
    if damaged and not decoded:
        raise UnreadableAudioError("the audio track is damaged or its codec is not known", param="audio")


def _packets(container: InputContainer, stream: AudioStream) -> "Iterator[av.Packet[AudioStream]]":
    try:
        yield from container.demux(stream)
    except PatchWelcomeError:
        raise UnreadableAudioError(
            "the file changes its format midway in a way that cannot be decoded; convert it to wav or flac",
            param="audio",
        ) from None
    except (FFmpegError, IndexError):
        # The file ends or breaks here; what came before stands. The IndexError is PyAV's, at the very end of a stream
        # in which another track turned up midway.
        return


def _format(frame: AudioFrame) -> tuple[int, str, str]:
    return frame.sample_rate, frame.layout.name, frame.format.name


def _blocks(frames: Iterator[AudioFrame]) -> Iterator[Block]:
    """Turn frames of one format, often 20 ms short, into blocks that are worth a numpy call.

    ffmpeg interleaves them: `to_ndarray` reads past the end of planar frames with eight or more channels (PyAV 18.1).
    """
    interleave = av.AudioResampler(format="flt", frame_size=BLOCK_FRAMES)
    for frame in chain(frames, [None]):
        for joined in interleave.resample(frame):
            samples = np.asarray(joined.to_ndarray(), dtype=np.float32)
            yield Block(samples.reshape(-1, joined.layout.nb_channels), joined.sample_rate)
