"""Audio that is not compressed, or hardly (A-law, ADPCM), read with libsndfile."""

from collections.abc import Iterator
from pathlib import Path

import soundfile

from common.audio.blocks import BLOCK_FRAMES, Block
from common.audio.limits import AudioLimits
from common.errors import UnreadableAudioError

# WAV, RF64, W64, CAF, AIFF, AU. Not Ogg, MP3 and FLAC, which libsndfile opens too: it reads only the first link of
# chained Ogg, gives up at the first damaged frame, and believes the length in a FLAC header.
MAGIC = {b"RIFF", b"RIFX", b"RF64", b"riff", b"caff", b"FORM", b".snd"}


def soundfile_blocks(path: Path, *, limits: AudioLimits) -> Iterator[Block]:
    """Yield the file's blocks; raises UnreadableAudioError where libsndfile cannot go on."""
    # A descriptor, not a path: soundfile would believe a name that ends in .raw.
    with path.open("rb", buffering=0) as file:
        if file.read(4) not in MAGIC:
            raise UnreadableAudioError("the audio is compressed", param="audio")
        file.seek(0)
        try:
            with soundfile.SoundFile(file.fileno(), closefd=False) as audio:
                yield from _blocks(audio, limits)
        except soundfile.LibsndfileError:
            raise UnreadableAudioError("the audio is damaged or not in a known format", param="audio") from None


def _blocks(audio: soundfile.SoundFile, limits: AudioLimits) -> Iterator[Block]:
    limits.check_format(sample_rate_hz=audio.samplerate, channels=audio.channels)
    while True:
        samples = audio.read(BLOCK_FRAMES, dtype="float32", always_2d=True)
        if not len(samples):
            return
        yield Block(samples, audio.samplerate)
