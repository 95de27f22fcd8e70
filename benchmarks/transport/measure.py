"""Word errors of the worker's engine on speech straight from its file and after Opus."""

import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from itertools import compress
from operator import add

import numpy as np

from benchmarks.attribution.bootstrap import interval_of_difference
from benchmarks.attribution.scoring import Rate
from benchmarks.longform.scoring import word_errors
from benchmarks.transport.speech import Joined, Passage, joined, sent, with_hiss
from common.audio.blocks import Samples
from common.audio.encode import encode_opus_within, fitting_bit_rate
from common.audio.limits import SAMPLE_RATE
from common.settings import load_settings
from handlers.transcription.engine import DecodingOptions, TranscriptionEngine
from handlers.transcription.whisper import find_engine
from orchestrator.endpoints import RUN_BODY_BYTES
from orchestrator.upload import BODY_RESERVE_BYTES

ROOM_BYTES = (RUN_BODY_BYTES - BODY_RESERVE_BYTES) // 4 * 3  # for a recording, base64 taken off
HOUR_S = 3600

# What a recogniser makes of the last two, in which nothing is lost, is not what an encoder lost either.
STRAIGHT, HISS, QUIETER = "straight", "hiss", "2 dB quieter"
QUIETER_GAIN = 0.8

Normaliser = Callable[[str], str]
Way = str | int  # a name, or the bit rate of Opus


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """One way of the speech: errors per passage, all takes together, and what the way costs."""

    way: Way
    rates: tuple[Rate, ...]
    bits_per_s: float = 0.0
    encode_x: float = 0.0

    @property
    def total(self) -> Rate:
        """All passages together."""
        return reduce(add, self.rates)

    def only(self, chosen: Sequence[bool]) -> "Arm":
        """Return the same of some passages."""
        return replace(self, rates=tuple(compress(self.rates, chosen)))

    @property
    def minutes_that_fit(self) -> float:
        """How many minutes of such speech one request has room for."""
        return ROOM_BYTES * 8 / self.bits_per_s / 60

    def cost(self, straight: "Arm") -> tuple[float, float, float]:
        """Return by how many points the error rate is above `straight`, and the 95 % interval of that."""
        low, high = interval_of_difference(self.rates, straight.rates)
        return self.total.percent - straight.total.percent, low, high


def load_engine(environment: Mapping[str, str]) -> TranscriptionEngine:
    """Load the Whisper that the environment names, by default the bundled tiny.en."""
    return find_engine(load_settings({"PARLEY_PROFILE": "laptop"} | dict(environment)).transcription)()


def english() -> Normaliser:
    """Return Whisper's own normaliser of English."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from whisper_normalizer.english import EnglishTextNormalizer  # noqa: PLC0415 - warns when imported
    normaliser: Normaliser = EnglishTextNormalizer()
    return normaliser


def measured(
    engine: TranscriptionEngine, speech: Sequence[Passage], normalise: Normaliser, *, way: Way, takes: int
) -> Arm:
    """Transcribe all passages `takes` times, each a little shifted, as they arrive on one way."""
    rates, size_bytes, seconds, encode_s = [Rate(errors=0, words=0)] * len(speech), 0, 0.0, 0.0
    for take in range(takes):
        recording = joined(speech, take=take)
        arriving = recording.samples
        if way == HISS:
            arriving = with_hiss(recording.samples, seed=take)
        elif way == QUIETER:
            arriving = recording.samples * np.float32(QUIETER_GAIN)
        if isinstance(way, int):
            opus = sent(recording, bit_rate=way)
            arriving = opus.samples
            size_bytes, encode_s = size_bytes + opus.size_bytes, encode_s + opus.encode_cpu_s
        seconds += recording.duration_s
        heard = _errors(engine, speech, recording.parts(arriving), normalise)
        rates = [before + now for before, now in zip(rates, heard, strict=True)]
    encode_x = seconds / encode_s if encode_s else 0.0
    return Arm(way=way, rates=tuple(rates), bits_per_s=size_bytes * 8 / seconds, encode_x=encode_x)


def _errors(
    engine: TranscriptionEngine, speech: Sequence[Passage], parts: Sequence[Samples], normalise: Normaliser
) -> list[Rate]:
    return [_rate(engine, one.text, part, normalise) for one, part in zip(speech, parts, strict=True)]


def _rate(engine: TranscriptionEngine, text: str, samples: Samples, normalise: Normaliser) -> Rate:
    heard = engine.transcribe(samples, options=DecodingOptions(language="en"), tick=_ignore)
    found = word_errors(normalise(text).split(), normalise(" ".join(word.text for word in heard.words)).split())
    return Rate(errors=found.substitutions + found.deletions + found.insertions, words=found.words)


def _ignore(stage: str, fraction: float) -> None:
    pass


def hour_of(recording: Joined) -> Samples:
    """Return the recording over and over for an hour."""
    return np.resize(recording.samples, HOUR_S * SAMPLE_RATE)


def hour_rate(hour: Samples) -> int:
    """Return the bit rate that an hour gets."""
    return fitting_bit_rate(hour, limit_bytes=ROOM_BYTES)


@dataclass(frozen=True, slots=True, kw_only=True)
class HourSent:
    """An hour of speech into one request: bytes, the share of the room they take, seconds."""

    size_bytes: int
    share: float
    seconds: float


def hour_sent(hour: Samples) -> HourSent:
    """Encode an hour as the client does."""
    started = time.perf_counter()
    content = encode_opus_within(hour, limit_bytes=ROOM_BYTES)
    if content is None:
        raise ValueError("an hour of this speech does not fit one request")
    seconds = time.perf_counter() - started
    return HourSent(size_bytes=len(content), share=len(content) / ROOM_BYTES, seconds=seconds)
