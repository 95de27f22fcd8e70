"""Segments stay where they are: run again from an earlier result, later in time, under other names, with more words."""

import json

from hypothesis import given
from hypothesis import strategies as st

from common.formats import RenderOptions, render, transcript_words
from common.segments import SegmentLimits, segment_words
from common.timeline import Segment, Word
from tests.support.transcripts import nasty_text, times, transcript_of

texts = st.sampled_from(["Yes.", "no", "Mr.", "why?", "字", "。", "3.", '"', "…", "I", "U.S."]) | nasty_text
LABELS = ["A", "B", None]
gaps = times(1_500)


@st.composite
def talks(draw: st.DrawFn, time: st.SearchStrategy[float] = gaps) -> list[Word]:
    words, start = [], 0.0
    for _ in range(draw(st.integers(0, 15))):
        start += draw(time)
        end = start + draw(time)
        words.append(Word(draw(texts), start, end, None, draw(st.sampled_from(LABELS)), draw(st.booleans())))
    return words


limits = st.builds(
    SegmentLimits, max_pause_s=gaps, max_duration_s=times(8_000), bare_duration_s=times(4_000), bare_pause_s=gaps
)
seconds = st.floats(0, 1.5)


def cuts(segments: tuple[Segment, ...]) -> list[int]:
    return [len(segment.words) for segment in segments]


@given(talks() | talks(seconds))
def test_the_words_of_a_result_give_its_segments_again(words):
    transcript = transcript_of(*words)
    result = json.loads(json.dumps(render(transcript, "verbose_json", RenderOptions())))
    again = render(transcript_of(*transcript_words(result)), "verbose_json", RenderOptions())
    assert again["segments"] == result["segments"]


@given(talks(), times(100_000), limits)
def test_a_talk_that_starts_later_is_cut_alike(words, offset_s, limits):
    shifted = [word.shifted(offset_s) for word in words]
    assert cuts(segment_words(shifted, limits=limits)) == cuts(segment_words(words, limits=limits))


@given(talks(), limits)
def test_other_names_cut_nothing_else(words, limits):
    names = {"A": "Sheila", "B": "A", None: None}
    renamed = [Word(w.text, w.start, w.end, None, names[w.speaker], w.space_before) for w in words]
    segments, others = segment_words(words, limits=limits), segment_words(renamed, limits=limits)
    assert [(s.text, s.start, s.end, names[s.speaker]) for s in segments] == [
        (s.text, s.start, s.end, s.speaker) for s in others
    ]


@given(talks(), st.integers(0, 15), limits)
def test_more_words_change_no_segment_but_the_last(words, count, limits):
    segments = segment_words(words, limits=limits)
    before = segment_words(words[:count], limits=limits)
    assert before[:-1] == segments[: len(before) - 1] if before else True


@given(talks(), talks(), limits)
def test_what_lies_beyond_a_pause_is_cut_by_itself(words, others, limits):
    end = max((word.end for word in words), default=0.0)
    later = [word.shifted(end + limits.max_pause_s + 1) for word in others]
    together = segment_words([*words, *later], limits=limits)
    assert cuts(together) == cuts(segment_words(words, limits=limits)) + cuts(segment_words(others, limits=limits))
