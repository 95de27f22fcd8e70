"""Long recordings with exact truth: synthetic speech, or real utterances joined with pauses."""

import json
import math
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from common.audio.limits import SAMPLE_RATE
from common.timeline import Word
from tests.fixtures.tiny_parakeet.long_speech import Utterance, compose
from tests.fixtures.tiny_parakeet.vocabulary import HELD_OUT_VOICES, TRAINING_VOICES

VOICES = {"held-out": HELD_OUT_VOICES, "training": TRAINING_VOICES}
LONGEST_PAUSE_S = 3.0
HISS = 1e-4  # digital silence is nothing that a microphone delivers
SPOKEN_SHIFT_S, GUESSED_SHIFT_S = 1.0, 8.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """Mono 16 kHz samples, the utterances in them, how to compare texts, and how exact the times of words are."""

    name: str
    samples: NDArray[np.float32]
    utterances: tuple[Utterance, ...]
    normalise: Callable[[str], str]
    exact_times: bool

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return len(self.samples) / SAMPLE_RATE

    @property
    def max_shift_s(self) -> float:
        """How far apart the truth and a right word may start."""
        return SPOKEN_SHIFT_S if self.exact_times else GUESSED_SHIFT_S

    def said(self) -> list[Word]:
        """Return the words to compare with."""
        return self.comparable([word for utterance in self.utterances for word in utterance.words])

    def comparable(self, words: Sequence[Word]) -> list[Word]:
        """Return words normalised one by one; one that becomes several words shares its times among them."""
        return [replace(word, text=text) for word in words for text in self.normalise(word.text).split()]

    def texts(self, words: Sequence[Word]) -> list[str]:
        """Return the normalised text in words; a normaliser may join what only belongs together in a sentence."""
        return self.normalise(" ".join(word.text for word in words)).split()


def synthetic(*, minutes: float, seed: int, voices: str) -> Recording:
    """Return espeak-ng speech of the words that the tiny Parakeet knows; `voices` is one of VOICES."""
    speech = compose(total_s=60 * minutes, seed=seed, voices=VOICES[voices])
    return Recording(
        name=f"espeak-ng, {voices} voices",
        samples=speech.samples,
        utterances=speech.utterances,
        normalise=_letters,
        exact_times=True,
    )


def joined(folder: Path, *, seed: int, longest_s: float = math.inf) -> Recording:
    """Return the English utterances of `B_asr/refs.jsonl` in `folder`, in a random order, with pauses of up to 3 s.

    Every line has "audio", a path from `folder`, "lang" and "text". No utterance begins after `longest_s`.
    """
    rng = np.random.default_rng(seed)
    lines = (folder / "B_asr" / "refs.jsonl").read_text(encoding="utf-8").splitlines()
    english = [entry for entry in map(json.loads, lines) if entry["lang"] == "en"]
    pieces: list[NDArray[np.float32]] = []
    utterances, length = [], 0
    for index in rng.permutation(len(english)):
        if length > longest_s * SAMPLE_RATE:
            break
        samples = _read(folder / english[index]["audio"])
        pause = np.zeros(int(rng.uniform(0, LONGEST_PAUSE_S) * SAMPLE_RATE), np.float32)
        words = tuple(_guessed(english[index]["text"].split(), length, len(samples)))
        utterances.append(Utterance(first=length, last=length + len(samples), words=words))
        pieces += [samples, pause]
        length += len(samples) + len(pause)
    hiss = HISS * rng.standard_normal(length, np.float32)
    return Recording(
        name="utterances joined",
        samples=np.concatenate(pieces) + hiss,
        utterances=tuple(utterances),
        normalise=_english(),
        exact_times=False,
    )


def _read(path: Path) -> NDArray[np.float32]:
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    return soxr.resample(samples.mean(axis=1), rate, SAMPLE_RATE).astype(np.float32)


def _guessed(texts: Sequence[str], first: int, count: int) -> Iterator[Word]:
    """Yield words spread over their utterance by their letters; the truth has no times of words."""
    ends = np.cumsum([0, *(len(text) + 1 for text in texts)])
    times = (first + count * ends / ends[-1]) / SAMPLE_RATE
    for text, start, end in zip(texts, times, times[1:], strict=False):
        yield Word(text, float(start), float(end))


def _letters(text: str) -> str:
    return re.sub(r"[^a-z ]", "", text.lower())


def _english() -> Callable[[str], str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from whisper_normalizer.english import EnglishTextNormalizer  # noqa: PLC0415 - warns when imported
    return EnglishTextNormalizer()
