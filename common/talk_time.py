"""How long each speaker talks, and how long several talk at once."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from common.coverage import Span, duration_s, union
from common.timeline import Turn, milliseconds


@dataclass(frozen=True, slots=True, kw_only=True)
class TalkTime:
    """Seconds of speech by speaker, in the order of the labels, and those in which more than one speaker talks."""

    speech_s: dict[str, float]
    overlap_s: float


def talk_time(turns: Iterable[Turn]) -> TalkTime:
    """Sum up `turns`, each rounded to milliseconds; what two turns of one speaker share counts once."""
    spans: dict[str, list[Span]] = defaultdict(list)
    for turn in turns:
        spans[turn.speaker].append((milliseconds(turn.start), milliseconds(turn.end)))
    talks = {speaker: union(own) for speaker, own in sorted(spans.items())}
    return TalkTime(
        speech_s={speaker: duration_s(talk) / 1000 for speaker, talk in talks.items()},
        overlap_s=_shared(span for talk in talks.values() for span in talk) / 1000,
    )


def _shared(spans: Iterable[Span]) -> float:
    """Return how much of the time axis two or more spans cover."""
    edges = sorted(edge for start, end in spans for edge in ((start, 1), (end, -1)))
    shared, open_spans = 0.0, 0
    for (time, step), (following, _) in pairwise(edges):
        open_spans += step
        shared += following - time if open_spans > 1 else 0.0
    return shared
