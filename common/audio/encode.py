"""Samples into a small file, so that long recordings fit a request."""

import io
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from functools import partial

import av
import numpy as np
from av import AudioStream

from common.audio.blocks import Samples
from common.audio.limits import SAMPLE_RATE
from common.checks import Check, unchecked

MAX_BIT_RATE = 64_000  # more is not needed for speech at 16 kHz
MIN_BIT_RATE = 12_000  # at 8,000 Opus narrows the band, and five words in a hundred are lost; see docs/benchmarks.md
# One packet and one page for as much audio as the formats allow: 150 bits a second of container, not 600.
FRAME_MS = 60
FRAME_SAMPLES = FRAME_MS * SAMPLE_RATE // 1000
PAGE_US = 15_000_000
COMPLEXITY = 10  # of 10; less is faster, and costs words
TIME_BASE = Fraction(1, SAMPLE_RATE)
STRETCH_FRAMES = 2_000  # two minutes
WARM_UP_FRAMES = 17  # one second
BLOCK_SAMPLES = 10 * SAMPLE_RATE

PROBES, PROBE_S = 24, 5.0  # stretches that tell how many bits this recording takes of the rate asked for
AIM = 0.97  # of the room, as the rest of the recording is not quite like them
AIM_AGAIN = 0.99  # of it, once the size of the whole is known
USED = 0.9  # of the room: with less, a higher rate is worth another try
ATTEMPTS = 3


def encode_opus(samples: Samples, *, bit_rate: int = 24_000, check: Check = unchecked) -> bytes:
    """Return mono 16 kHz `samples` (1-D float32) as an Ogg Opus file of about `bit_rate` bits per second.

    As many stretches of a long recording as there are cores are encoded at once. What `check` raises, which is called
    by several threads at every ten seconds of audio, ends it.
    """
    buffer = io.BytesIO()
    starts = range(0, max(len(samples), 1), STRETCH_FRAMES * FRAME_SAMPLES)
    with (
        av.open(buffer, mode="w", format="ogg", options={"page_duration": str(PAGE_US)}) as container,
        ThreadPoolExecutor(min(os.cpu_count() or 1, len(starts))) as pool,
    ):
        stream = container.add_stream(
            "libopus", rate=SAMPLE_RATE, layout="mono", bit_rate=bit_rate, options=_encoder_options()
        )
        for packets in pool.map(partial(_encoded, samples, bit_rate=bit_rate, check=check), starts):
            for packet in packets:
                packet.stream = stream
                container.mux(packet)
    return buffer.getvalue()


def _encoder_options() -> dict[str, str]:
    return {"application": "audio", "frame_duration": str(FRAME_MS), "compression_level": str(COMPLEXITY)}


def _encoded(samples: Samples, start: int, *, bit_rate: int, check: Check) -> "list[av.Packet[AudioStream]]":
    """Return the packets of the stretch that begins at the sample `start`.

    The encoder hears a little of what comes before, so that it goes on as if it had encoded that too; the packets of it
    are left out. All encoders have the same delay, so that packets follow on one another.
    """
    encoder = av.AudioCodecContext.create("libopus", "w")
    encoder.sample_rate, encoder.layout, encoder.format = SAMPLE_RATE, "mono", "flt"
    encoder.bit_rate, encoder.options = bit_rate, _encoder_options()
    end, before = start + STRETCH_FRAMES * FRAME_SAMPLES, min(WARM_UP_FRAMES, start // FRAME_SAMPLES)
    heard_from = start - before * FRAME_SAMPLES
    packets = [packet for frame in _frames(samples[heard_from:end], check) for packet in encoder.encode(frame)]
    if end >= len(samples):
        packets += encoder.encode(None)
    for packet in packets:
        packet.pts = packet.dts = (packet.pts or 0) + heard_from
    return packets[before:]


def encode_opus_within(samples: Samples, *, limit_bytes: int, check: Check = unchecked) -> bytes | None:
    """Return `samples` as `encode_opus` does, at the highest bit rate of which the file has at most `limit_bytes`.

    None if that is below MIN_BIT_RATE.
    """
    bit_rate = (
        fitting_bit_rate(samples, limit_bytes=limit_bytes, check=check) if limit_bytes > 0 and len(samples) else 0
    )
    fitting = None
    for _ in range(ATTEMPTS):
        if bit_rate < MIN_BIT_RATE:
            break
        encoded = encode_opus(samples, bit_rate=bit_rate, check=check)
        fits, share = len(encoded) <= limit_bytes, len(encoded) / limit_bytes
        if fits:
            fitting = encoded if fitting is None else max(fitting, encoded, key=len)
        if fits and (share >= USED or bit_rate >= MAX_BIT_RATE):
            break
        bit_rate = min(int(bit_rate * AIM_AGAIN / share), MAX_BIT_RATE)
    return fitting


def fitting_bit_rate(samples: Samples, *, limit_bytes: int, check: Check = unchecked) -> int:
    """Return the bit rate, at most MAX_BIT_RATE, at which `samples` have about `limit_bytes`.

    Opus takes fewer bits than it is given, by how much depends on the recording: that is tried on stretches of it.
    """
    bit_rate = room = AIM * limit_bytes * 8 / (len(samples) / SAMPLE_RATE)
    stretches = list(_stretches(samples))
    for _ in range(2):  # the share taken depends on the rate, a little
        given = min(max(bit_rate, MIN_BIT_RATE), MAX_BIT_RATE)
        taken = sum(len(encode_opus(part, bit_rate=round(given), check=check)) for part in stretches)
        bit_rate = room * given * sum(map(len, stretches)) / SAMPLE_RATE / (8 * taken)
    return round(min(bit_rate, MAX_BIT_RATE))


def _stretches(samples: Samples) -> Iterator[Samples]:
    length = round(PROBE_S * SAMPLE_RATE)
    if len(samples) <= PROBES * length:
        yield samples
        return
    for start in np.linspace(0, len(samples) - length, PROBES).astype(int):
        yield samples[start : start + length]


def _frames(samples: Samples, check: Check) -> Iterator[av.AudioFrame]:
    """Yield frames of the one length that the encoder takes, and a shorter last one."""
    fifo = av.AudioFifo()
    for start in range(0, len(samples), BLOCK_SAMPLES):
        check()
        frame = av.AudioFrame.from_ndarray(samples[None, start : start + BLOCK_SAMPLES], format="flt", layout="mono")
        frame.sample_rate = SAMPLE_RATE
        frame.pts, frame.time_base = start, TIME_BASE
        fifo.write(frame)
        yield from fifo.read_many(FRAME_SAMPLES)
    rest = fifo.read(0, partial=True)
    if rest is not None:
        yield rest
