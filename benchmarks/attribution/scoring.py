"""How many words got the wrong speaker: WDER, and the error rates that count missing and wrong words too."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from benchmarks.attribution.alignment import Normaliser, align, heard_words
from benchmarks.attribution.conversations import Utterance
from common.timeline import Turn, Word
from orchestrator.demo_score import cp_word_error_rate

REACH_S = 0.5  # beyond the times of a word
COLLAR_S = 5.0  # what meeteval's authors use for words without exact times


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """Errors among so many words."""

    errors: int
    words: int

    @property
    def percent(self) -> float:
        """The error rate in percent."""
        return 100 * self.errors / max(self.words, 1)

    def __add__(self, other: "Rate") -> "Rate":
        return Rate(errors=self.errors + other.errors, words=self.words + other.words)


class Truth:
    """Who really said each of the words heard in one conversation, and in what words."""

    def __init__(self, utterances: Sequence[Utterance], words: Sequence[Word], *, normalise: Normaliser) -> None:
        self._normalise = normalise
        self._utterances = utterances
        self._words = words
        pieces = heard_words(words, normalise)
        found = align(utterances, [piece for _, piece in pieces], normalise=normalise)
        self.spoken_by = [(index, one[0]) for (index, _), one in zip(pieces, found, strict=True) if one is not None]

    def wder(self, labels: Sequence[str | None]) -> Rate:
        """Return how many of the aligned words, right or substituted, have the wrong one of `labels`, one per word.

        Labels are mapped to speakers one to one as is best for them; a word without a label is wrong.
        Source: Shafey et al. (2019), https://arxiv.org/abs/1907.05337.
        """
        pairs = Counter((speaker, labels[index]) for index, speaker in self.spoken_by if labels[index] is not None)
        names = mapping(pairs)
        right = sum(names.get(labels[index]) == speaker for index, speaker in self.spoken_by if labels[index])
        return Rate(errors=len(self.spoken_by) - right, words=len(self.spoken_by))

    def unreachable(self, labels: Sequence[str | None], turns: Sequence[Turn]) -> Rate:
        """Return how many of the aligned words have no turn of their speaker within REACH_S.

        Which label stands for which speaker is told by `labels`, one per word.
        """
        names = mapping(Counter((who, labels[index]) for index, who in self.spoken_by if labels[index] is not None))
        lost = sum(not self._reached(index, who, turns, names) for index, who in self.spoken_by)
        return Rate(errors=lost, words=len(self.spoken_by))

    def _reached(self, index: int, who: str, turns: Sequence[Turn], names: dict[Any, str]) -> bool:
        start, end = self._words[index].start - REACH_S, self._words[index].end + REACH_S
        return any(names.get(turn.speaker) == who and turn.start < end and turn.end > start for turn in turns)

    def cp_wer(self, words: Sequence[Word]) -> Rate:
        """Return the concatenated minimum-permutation word error rate of `words`, with their speakers."""
        said, heard = (
            {name: self._normalise(" ".join(texts)) for name, texts in grouped.items()}
            for grouped in (_said_texts(self._utterances), _heard_texts(words))
        )
        count = sum(len(text.split()) for text in said.values())
        return Rate(errors=round(cp_word_error_rate(said, heard) * count), words=count)

    def tcp_wer(self, words: Sequence[Word]) -> Rate | None:
        """Return the time-constrained cpWER of `words` by meeteval, None without it.

        Source: von Neumann et al. (2023), https://arxiv.org/abs/2307.11394.
        """
        try:
            from meeteval.io import SegLST  # noqa: PLC0415 - an extra that needs a C++ compiler
            from meeteval.wer import tcpwer  # noqa: PLC0415
        except ImportError:
            return None
        said = [_line(one.speaker, one.start, one.end, self._text(one.words)) for one in self._utterances]
        heard = [_line(word.speaker or "", word.start, word.end, self._text([word])) for word in words]
        found = tcpwer(SegLST(said), SegLST(heard), collar=COLLAR_S)["-"]
        return Rate(errors=found.errors, words=found.length)

    def _text(self, words: Sequence[Word]) -> str:
        return self._normalise(" ".join(word.text for word in words))


def _line(speaker: str, start: float, end: float, text: str) -> dict[str, Any]:
    return {"session_id": "-", "speaker": speaker, "start_time": start, "end_time": end, "words": text}


def mapping(pairs: Counter[tuple[str, Any]]) -> dict[Any, str]:
    """Return which label stands for which speaker, one to one, so that most of `pairs` (speaker, label) agree."""
    speakers, labels = sorted({speaker for speaker, _ in pairs}), sorted({label for _, label in pairs})
    if not pairs:
        return {}
    counts = np.array([[pairs[speaker, label] for label in labels] for speaker in speakers])
    rows, columns = linear_sum_assignment(-counts)
    return {labels[column]: speakers[row] for row, column in zip(rows, columns, strict=True)}


def _said_texts(utterances: Sequence[Utterance]) -> dict[str, list[str]]:
    texts: dict[str, list[str]] = {}
    for one in sorted(utterances, key=lambda one: one.start):
        texts.setdefault(one.speaker, []).extend(word.text for word in one.words)
    return texts


def _heard_texts(words: Sequence[Word]) -> dict[str, list[str]]:
    texts: dict[str, list[str]] = {}
    for word in sorted(words, key=lambda word: word.start):
        texts.setdefault(word.speaker or "", []).append(word.text)
    return texts
