"""Real speech with its words, and the same speech as it comes out of Opus."""

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.attribution.conversations import Conversation, packaged_sample, recorded
from benchmarks.recordings import read_samples
from common.audio.blocks import Samples
from common.audio.decode import decode_audio
from common.audio.encode import encode_opus
from common.audio.job_folder import job_folder
from common.audio.limits import SAMPLE_RATE, AudioLimits

UTTERANCES, CONVERSATIONS = "utterances", "conversations"
PAUSE_S = 0.5  # between passages
HISS_DB = -70.0  # of full scale
SHIFT_S = 0.13  # from one take to the next: Opus and the recogniser see other frames of the same speech


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """Mono 16 kHz samples and what is said in them."""

    name: str
    kind: str
    samples: Samples
    text: str


def passages(data: Path | None) -> list[Passage]:
    """Return the English utterances of `B_asr` and the conversations of `C_spk` in `data`, or pyannote's sample."""
    if data is None:
        return [_conversation(packaged_sample())]
    return [*_utterances(data), *map(_conversation, [packaged_sample(), *recorded(data)])]


def _utterances(data: Path) -> Iterator[Passage]:
    path = data / "B_asr" / "refs.jsonl"
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else ():
        known: dict[str, Any] = json.loads(line)
        if known["lang"] == "en":
            yield Passage(
                name=known["id"], kind=UTTERANCES, samples=read_samples(data / known["audio"]), text=known["text"]
            )


def _conversation(one: Conversation) -> Passage:
    if one.samples is None:
        raise ValueError(f"{one.name} has no audio")
    text = " ".join(word.text for utterance in one.utterances for word in utterance.words)
    return Passage(name=one.name, kind=CONVERSATIONS, samples=one.samples, text=text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """All passages in one recording, with pauses, and where (in samples) each of them lies."""

    samples: Samples
    spans: tuple[tuple[int, int], ...]

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return len(self.samples) / SAMPLE_RATE

    def parts(self, samples: Samples) -> list[Samples]:
        """Return the passages in `samples`, this recording after it went some way."""
        return [np.ascontiguousarray(samples[first:last]) for first, last in self.spans]


def joined(speech: Sequence[Passage], *, take: int = 0) -> Joined:
    """Return passages one after the other, as in a long recording, each beginning `take` shifts earlier."""
    pause, shift = round(PAUSE_S * SAMPLE_RATE), round(take * SHIFT_S * SAMPLE_RATE)
    lengths = [len(one.samples) + pause + shift for one in speech]
    ends = np.cumsum(lengths).tolist()
    whole = np.zeros(ends[-1], np.float32)
    for one, end in zip(speech, ends, strict=True):
        whole[end - len(one.samples) : end] = one.samples
    spans = tuple((end - len(one.samples) - shift, end) for one, end in zip(speech, ends, strict=True))
    return Joined(samples=whole, spans=spans)


def with_hiss(samples: Samples, *, seed: int = 0) -> Samples:
    """Return samples with noise that nobody hears."""
    noise = np.random.default_rng(seed).standard_normal(len(samples), np.float32)
    hissing: Samples = samples + np.float32(10 ** (HISS_DB / 20)) * noise
    return hissing


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A recording after its way through Opus: what arrives, the bytes it took, and the seconds to encode it."""

    samples: Samples
    size_bytes: int
    encode_cpu_s: float


def sent(recording: Joined, *, bit_rate: int) -> Sent:
    """Return what arrives at `bit_rate`, decoded as the workers do it."""
    started = time.process_time()
    content = encode_opus(recording.samples, bit_rate=bit_rate)
    encode_cpu_s = time.process_time() - started
    with job_folder() as folder:
        path = folder / "audio"
        path.write_bytes(content)
        samples = decode_audio(path, limits=AudioLimits())
    return Sent(samples=samples, size_bytes=len(content), encode_cpu_s=encode_cpu_s)
