"""Any audio file to mono float32 at 16 kHz, by its content and in bounded memory."""

import math
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import partial
from itertools import groupby
from pathlib import Path

import numpy as np
import soxr

from common.audio.blocks import Block, Samples
from common.audio.downmix import Downmix
from common.audio.limits import SAMPLE_RATE, AudioLimits
from common.audio.read_pyav import pyav_blocks
from common.audio.read_soundfile import soundfile_blocks
from common.checks import Check, unchecked
from common.errors import EmptyAudioError, UnreadableAudioError


def decode_audio(path: Path, *, limits: AudioLimits, first_s: float = math.inf, check: Check = unchecked) -> Samples:
    """Decode the first audio track of a file, or its first `first_s` seconds, to mono at 16 kHz.

    Returns a C-contiguous array of shape (samples,), full scale ±1. The format is told by content, lengths by what
    is decoded, never by headers; a file cut short gives what is there, and what comes after `first_s` is not looked
    at. Peak memory is about 1.15 times the result. What `check` raises, which is called at every block, passes through.

    Raises EmptyAudioError if there is not one sample at 16 kHz, InputTooLargeError above `limits`, and
    UnreadableAudioError for what is not audio or has samples that are not finite numbers.
    """
    if not path.stat().st_size:
        raise EmptyAudioError("the audio file has 0 bytes", param="audio")
    decoded = partial(_decoded, path, limits=limits, first_s=first_s, check=check)
    samples, downmix = decoded()
    if downmix.cancelled:
        del samples  # two of these at once would double the peak memory
        samples, downmix = decoded(only_channel=downmix.loudest_channel)
    if not samples.size:
        raise EmptyAudioError("the audio has no samples", param="audio")
    if downmix.gain != 1.0:
        samples *= np.float32(downmix.gain)
    return samples


def _decoded(
    path: Path, *, limits: AudioLimits, first_s: float, check: Check, only_channel: int | None = None
) -> tuple[Samples, Downmix]:
    """Decode with libsndfile, which is the faster, or else with ffmpeg, which is the more forgiving."""
    collect = partial(_collected, limits=limits, first_s=first_s, check=check, only_channel=only_channel)
    try:
        samples, downmix = collect(soundfile_blocks(path, limits=limits))
    except UnreadableAudioError:
        return collect(pyav_blocks(path))
    if not samples.size:
        with suppress(UnreadableAudioError):  # live recorders leave a length of 0 in front of real samples
            return collect(pyav_blocks(path))
    return samples, downmix


def _collected(
    blocks: Iterator[Block], *, limits: AudioLimits, first_s: float, check: Check, only_channel: int | None = None
) -> tuple[Samples, Downmix]:
    downmix = Downmix(max_channels=limits.max_channels, only_channel=only_channel)
    with np.errstate(over="ignore", invalid="ignore"):  # _gathered refuses what is not finite
        bounded = _bounded(_beginning(blocks, first_s), limits, check)
        mono = (block._replace(samples=downmix.mix(block.samples)) for block in bounded)
        return _gathered(_resampled(mono)), downmix


def _beginning(blocks: Iterable[Block], first_s: float) -> Iterator[Block]:
    left_s = first_s
    for block in blocks:
        frames = round(min(len(block.samples), left_s * block.sample_rate_hz))
        yield block._replace(samples=block.samples[:frames])
        left_s -= frames / block.sample_rate_hz
        if frames < len(block.samples):
            return


def _bounded(blocks: Iterable[Block], limits: AudioLimits, check: Check) -> Iterator[Block]:
    duration_s = 0.0
    for block in blocks:
        check()
        limits.check_format(sample_rate_hz=block.sample_rate_hz, channels=block.samples.shape[1])
        duration_s += len(block.samples) / block.sample_rate_hz
        limits.check_duration(duration_s)
        yield block


def _resampled(blocks: Iterable[Block]) -> Iterator[Samples]:
    """Resample mono blocks to 16 kHz; where the rate changes within a file, a new stream begins."""
    for rate, group in groupby(blocks, key=lambda block: block.sample_rate_hz):
        if rate == SAMPLE_RATE:
            yield from (block.samples for block in group)
            continue
        stream = soxr.ResampleStream(rate, SAMPLE_RATE, 1, dtype="float32")
        yield from (stream.resample_chunk(block.samples) for block in group)
        yield stream.resample_chunk(np.zeros(0, dtype=np.float32), last=True)


def _gathered(chunks: Iterable[Samples]) -> Samples:
    """Join chunks in one buffer, grown by an eighth at a time: realloc moves pages instead of copying them."""
    buffer: Samples = np.empty(60 * SAMPLE_RATE, dtype=np.float32)
    used = 0
    for chunk in chunks:
        if not np.isfinite(chunk).all():
            raise UnreadableAudioError("the audio has samples that are NaN or infinite", param="audio")
        if used + len(chunk) > len(buffer):
            buffer.resize(max(used + len(chunk), len(buffer) * 9 // 8), refcheck=False)
        buffer[used : used + len(chunk)] = chunk
        used += len(chunk)
    buffer.resize(used, refcheck=False)
    return buffer
