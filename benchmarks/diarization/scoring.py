"""The diarization error rate with its parts, and the number of speakers."""

from collections.abc import Sequence
from dataclasses import dataclass

from pyannote.core import Annotation, Segment, Timeline
from pyannote.metrics.diarization import DiarizationErrorRate

from benchmarks.diarization.recordings import Spans
from common.timeline import Turn


@dataclass(frozen=True, slots=True, kw_only=True)
class Errors:
    """Seconds of speech, summed over speakers, and of each kind of error in it."""

    total_s: float = 0.0
    missed_s: float = 0.0
    false_alarm_s: float = 0.0
    confusion_s: float = 0.0

    def __add__(self, other: "Errors") -> "Errors":
        return Errors(
            total_s=self.total_s + other.total_s,
            missed_s=self.missed_s + other.missed_s,
            false_alarm_s=self.false_alarm_s + other.false_alarm_s,
            confusion_s=self.confusion_s + other.confusion_s,
        )

    @property
    def der(self) -> float:
        """The diarization error rate in percent; where nobody speaks 0 or, if somebody was found, 100."""
        return self.percent(self.missed_s + self.false_alarm_s + self.confusion_s)

    def percent(self, errors_s: float) -> float:
        """Return `errors_s` in percent of the speech."""
        if not self.total_s:
            return 100.0 if errors_s else 0.0
        return 100 * errors_s / self.total_s


def errors(reference: Sequence[Turn], found: Sequence[Turn], *, uem: Spans) -> Errors:
    """Compare turns inside `uem` (s): no collar, overlap counted, speakers paired for the fewest errors."""
    metric = DiarizationErrorRate(collar=0.0, skip_overlap=False)
    parts = metric(_annotation(reference), _annotation(found), uem=_timeline(uem), detailed=True)
    return Errors(
        total_s=float(parts["total"]),
        missed_s=float(parts["missed detection"]),
        false_alarm_s=float(parts["false alarm"]),
        confusion_s=float(parts["confusion"]),
    )


def speakers(turns: Sequence[Turn], *, uem: Spans) -> int:
    """Return how many people speak inside `uem`."""
    return len(_annotation(turns).crop(_timeline(uem)).labels())


def _timeline(spans: Spans) -> Timeline:
    return Timeline([Segment(start, end) for start, end in spans]).support()


def _annotation(turns: Sequence[Turn]) -> Annotation:
    """Return turns for pyannote, those of one speaker that touch or overlap as one."""
    annotation = Annotation()
    for track, turn in enumerate(turns):
        annotation[Segment(turn.start, turn.end), track] = turn.speaker
    return annotation.support()
