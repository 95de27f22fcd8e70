"""Samples into a small file, so that long recordings fit a request."""

import io

import av
import numpy as np
from numpy.typing import NDArray

from common.audio.limits import SAMPLE_RATE

OPUS_FRAME_SAMPLES = 320  # 20 ms, the codec's own default


def encode_opus(samples: NDArray[np.float32], *, bit_rate: int = 24_000) -> bytes:
    """Return mono 16 kHz `samples` (1-D float32) as an Ogg Opus file of about `bit_rate` bits per second."""
    buffer = io.BytesIO()
    with av.open(buffer, mode="w", format="ogg") as container:
        stream = container.add_stream("libopus", rate=SAMPLE_RATE, layout="mono", bit_rate=bit_rate)
        fifo = av.AudioFifo()
        for start in range(0, len(samples), SAMPLE_RATE):
            frame = av.AudioFrame.from_ndarray(samples[None, start : start + SAMPLE_RATE], format="flt", layout="mono")
            frame.sample_rate = SAMPLE_RATE
            frame.pts = start
            fifo.write(frame)
            for part in fifo.read_many(OPUS_FRAME_SAMPLES):
                container.mux(stream.encode(part))
        rest = fifo.read(0, partial=True)
        if rest is not None:
            container.mux(stream.encode(rest))
        container.mux(stream.encode(None))
    return buffer.getvalue()
