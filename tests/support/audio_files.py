"""Small audio files in every container, made by real encoders, and headers that lie."""

import io
import struct

import av
import numpy as np
import soundfile

MELODY_HZ = (300.0, 700.0, 1500.0)


def melody(rate, *, seconds=3.0, channels=1):
    """Three tones of equal length at 0.3 of full scale, shape (frames, channels)."""
    t = np.arange(round(rate * seconds)) / rate
    hz = np.asarray(MELODY_HZ)[np.minimum((t * 3 / seconds).astype(int), 2)]
    return np.repeat((0.3 * np.sin(2 * np.pi * hz * t))[:, None], channels, axis=1).astype(np.float32)


def heard_hz(samples, rate=16_000):
    """The loudest frequency in the middle of each third of `samples`."""
    thirds = np.array_split(samples, 3)
    middles = [third[len(third) // 4 : -(len(third) // 4)] for third in thirds]
    return [float(np.abs(np.fft.rfft(m * np.hanning(len(m)))).argmax() * rate / len(m)) for m in middles]


def rms(samples):
    return float(np.sqrt(np.square(samples, dtype=np.float64).mean()))


def soundfile_bytes(samples, rate, *, container="WAV", subtype="PCM_16"):
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=container, subtype=subtype)
    return file.getvalue()


def pyav_bytes(samples, rate, *, container, codec, layout="mono", options=None):
    file = io.BytesIO()
    with av.open(file, "w", format=container, options=options or {}) as output:
        stream = output.add_stream(codec, rate=rate, layout=layout)
        _encode(output, stream, samples, rate, layout)
    return file.getvalue()


def _encode(output, stream, samples, rate, layout):
    codec = stream.codec_context
    if not codec.is_open:
        codec.open()
    frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="flt", layout=layout)
    frame.sample_rate = rate
    resampler = av.AudioResampler(codec.format, layout, rate, codec.frame_size or None)
    for part in [*resampler.resample(frame), *resampler.resample(None)]:
        output.mux(stream.encode(part))
    output.mux(stream.encode(None))


def video_bytes(*, container="mp4", samples=None, rate=48_000):
    """A few black frames, followed on the second track by `samples` as AAC if given."""
    file = io.BytesIO()
    with av.open(file, "w", format=container) as output:
        video = output.add_stream("mpeg4", rate=10)
        video.width = video.height = 64
        audio = output.add_stream("aac", rate=rate, layout="mono") if samples is not None else None
        for _ in range(5):
            output.mux(video.encode(av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")))
        output.mux(video.encode(None))
        if audio is not None:
            _encode(output, audio, samples, rate, "mono")
    return file.getvalue()


def wav_bytes(data, *, rate=16_000, channels=1, data_bytes=None, bits=16):
    """A wav of raw PCM `data` whose header says whatever is asked."""
    block = channels * bits // 8
    rates = struct.pack("<HHIIHH", 1, channels, rate, rate * block & 0xFFFFFFFF, block & 0xFFFF, bits)
    size = len(data) if data_bytes is None else data_bytes
    riff = min(36 + size, 0xFFFFFFFF)
    return b"RIFF" + struct.pack("<I", riff) + b"WAVEfmt \x10\0\0\0" + rates + b"data" + struct.pack("<I", size) + data


def pcm16(samples):
    return (samples * 32767).astype("<i2").tobytes()
