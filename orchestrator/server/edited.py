"""A transcript as its reader corrected it: checked, bounded, on the timeline."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Annotated, Self

from pydantic import Field, model_validator

from common.contract import Request, SpanIn, parse_request
from common.errors import InvalidInputError
from common.field_values import MAX_SPEAKERS, Share, SpeakerLabel, check_speakers, shown_name
from common.timeline import Segment, Word, join_words

MAX_WORDS = 200_000

ShownName = Annotated[str, Field(max_length=1000)]  # checked where it is known whether it is the label itself


class EditedWord(SpanIn):
    """A word, corrected or not; it may have become several, with spaces between."""

    word: Annotated[str, Field(min_length=1, max_length=1000)]
    space_before: bool = True
    confidence: Share | None = None


class EditedSegment(Request):
    """Words of one speaker in a row; one without words is left over from an edit and not shown."""

    speaker: SpeakerLabel | None = None
    words: Annotated[list[EditedWord], Field(max_length=MAX_WORDS)]


class EditedTranscript(Request):
    """All words by time, and the names that are shown for labels; a label without one is shown itself."""

    segments: Annotated[list[EditedSegment], Field(max_length=MAX_WORDS)]
    speakers: dict[SpeakerLabel, ShownName] = Field(default_factory=dict, max_length=MAX_SPEAKERS)

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        count = sum(len(segment.words) for segment in self.segments)
        if count > MAX_WORDS:
            raise InvalidInputError(f"{count} words are too many, at most {MAX_WORDS} can be kept", param="segments")
        labels = {segment.speaker for segment in self.segments if segment.speaker is not None}
        check_speakers(labels.union(self.speakers), param="speakers")
        return self

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        starts = [word.start for segment in self.segments for word in segment.words]
        for start, following in pairwise(starts):
            if following < start:
                raise InvalidInputError(
                    f"the word at {following} s comes after the one at {start} s; give words by their start",
                    param="segments",
                )
        return self

    @model_validator(mode="after")
    def _named(self) -> Self:
        for label, name in self.speakers.items():
            if name != label:
                _shown(label, name)
        return self

    @property
    def names(self) -> Mapping[str, str]:
        """Return the names of those labels that are shown as something else, as a reader sees them."""
        return {label: shown_name(name) for label, name in self.speakers.items() if name != label}

    def timeline(self) -> tuple[Segment, ...]:
        """Return the segments that have words, with their labels, numbered from 0."""
        kept = [segment for segment in self.segments if segment.words]
        return tuple(_segment(index, segment) for index, segment in enumerate(kept))


def parse_edits(raw: object) -> EditedTranscript:
    """Check an edited transcript as JSON; raises InvalidInputError naming what is wrong with it. Slow: 1 s at most."""
    if not isinstance(raw, dict):
        raise InvalidInputError('an edited transcript is an object: {"segments": […], "speakers": {…}}')
    return parse_request(EditedTranscript, raw)


def _shown(label: str, name: str) -> None:
    try:
        shown_name(name)
    except ValueError as error:
        raise InvalidInputError(f"speakers.{label}: {error}", param="speakers") from None


def _segment(index: int, segment: EditedSegment) -> Segment:
    words = tuple(
        Word(word.word, word.start, word.end, word.confidence, segment.speaker, word.space_before)
        for word in segment.words
    )
    return Segment(
        id=index,
        start=words[0].start,
        end=max(word.end for word in words),
        text=join_words(words),
        speaker=segment.speaker,
        words=words,
    )
