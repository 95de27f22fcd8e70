"""Words, turns and segments on one time axis: seconds from the start of the audio, half-open [start, end)."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import NoReturn

from common.errors import InvalidInputError

LATEST_S = 1e9  # times beyond (30 years) are one and the same, so that no finite float overflows
UNDETERMINED = "und"  # ISO 639-2: nobody said which language it is, and the model does not tell


def milliseconds(seconds: float) -> int:
    """Return the nearest millisecond, which is what results have; rounding keeps the order of times."""
    return round(min(float(seconds), LATEST_S) * 1000)


def _refuse_span(start: float, end: float, what: str) -> NoReturn:
    if not (math.isfinite(start) and math.isfinite(end)):
        raise InvalidInputError(f"a {what} has a time that is not a finite number")
    raise InvalidInputError(f"a {what} spans {start}–{end} s; times must satisfy 0 ≤ start ≤ end")


@dataclass(frozen=True, slots=True, order=True)
class Turn:
    """One speaker talking from `start` to `end` (s); turns of different speakers may overlap."""

    start: float
    end: float
    speaker: str

    def __post_init__(self) -> None:
        if not 0 <= self.start <= self.end < math.inf:
            _refuse_span(self.start, self.end, "turn")
        if not self.speaker:
            raise InvalidInputError("a turn has an empty speaker label")


@dataclass(frozen=True, slots=True)
class Word:
    """One recognised word with its punctuation; `space_before` is false in scripts written without spaces.

    `speaker_confidence` (0 to 1) and `overlap`, that another speaker talks meanwhile, go with `speaker`.
    """

    text: str
    start: float
    end: float
    confidence: float | None = None
    speaker: str | None = None
    space_before: bool = True
    speaker_confidence: float | None = None
    overlap: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.start <= self.end < math.inf:
            _refuse_span(self.start, self.end, "word")

    def shifted(self, offset_s: float) -> "Word":
        """Return the word `offset_s` seconds later."""
        return replace(self, start=self.start + offset_s, end=self.end + offset_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeakerTurns:
    """What diarization found: all turns, and the same with one speaker at a time, where the engine tells who is heard.

    `exclusive` may be empty: nothing is known then but the turns.
    """

    turns: tuple[Turn, ...]
    exclusive: tuple[Turn, ...] = ()

    @property
    def labels(self) -> frozenset[str]:
        """Labels of all who have a turn of either kind."""
        return frozenset(turn.speaker for turn in (*self.turns, *self.exclusive))

    def renamed(self, names: Mapping[str, str]) -> "SpeakerTurns":
        """Return them with the labels in `names` replaced."""
        return SpeakerTurns(
            turns=tuple(replace(turn, speaker=names.get(turn.speaker, turn.speaker)) for turn in self.turns),
            exclusive=tuple(replace(turn, speaker=names.get(turn.speaker, turn.speaker)) for turn in self.exclusive),
        )


@dataclass(frozen=True, slots=True)
class Segment:
    """A readable stretch of words of one speaker."""

    id: int
    start: float
    end: float
    text: str
    speaker: str | None = None
    words: tuple[Word, ...] = ()


@dataclass(frozen=True, slots=True)
class Transcript:
    """Everything the output formats need; `diarized` tells "no speaker known" from "speakers not asked"."""

    segments: tuple[Segment, ...]
    duration_s: float
    language: str
    diarized: bool = False
    turns: tuple[Turn, ...] = field(default=())

    @property
    def words(self) -> tuple[Word, ...]:
        """All words, in order."""
        return tuple(word for segment in self.segments for word in segment.words)

    @property
    def text(self) -> str:
        """The whole text, segments joined by a space."""
        return join_words(self.words)

    @property
    def speakers(self) -> tuple[str, ...]:
        """Labels of all speakers who have a turn or a word, sorted."""
        spoken = {word.speaker for word in self.words if word.speaker is not None}
        return tuple(sorted(spoken | {turn.speaker for turn in self.turns}))


def join_words(words: Iterable[Word]) -> str:
    """Join words into text, with a space before each word that is written with one."""
    return "".join(f" {word.text}" if word.space_before else word.text for word in words).strip()
