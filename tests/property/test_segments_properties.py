"""What holds for the segments of any words."""

from hypothesis import given
from hypothesis import strategies as st

from common.segments import SegmentLimits, segment_words
from common.timeline import Word, join_words
from tests.support.transcripts import nasty_text, times

texts = st.sampled_from(["Yes.", "no", "Mr.", "why?", "字", "。", "3.", '"', "…"]) | nasty_text
words_lists = st.lists(
    st.builds(
        lambda text, start, length, speaker, space: Word(text, start, start + length, None, speaker, space),
        texts,
        times(60_000),
        times(3_000),
        st.sampled_from(["A", "B", None]),
        st.booleans(),
    ),
    max_size=20,
)
ordered_words = words_lists.map(lambda words: sorted(words, key=lambda word: word.start))
limits = st.builds(
    SegmentLimits,
    max_pause_s=times(3_000),
    max_duration_s=times(40_000),
    bare_duration_s=times(20_000),
    bare_pause_s=times(3_000),
)


@given(words_lists | ordered_words, limits)
def test_every_word_is_in_one_segment_in_order(words, limits):
    segments = segment_words(words, limits=limits)
    assert [word for segment in segments for word in segment.words] == words
    assert [segment.id for segment in segments] == list(range(len(segments)))


@given(words_lists | ordered_words, limits)
def test_a_segment_is_what_its_words_say(words, limits):
    for segment in segment_words(words, limits=limits):
        assert {word.speaker for word in segment.words} == {segment.speaker}
        assert segment.start == min(word.start for word in segment.words)
        assert segment.end == max(word.end for word in segment.words)
        assert segment.text == join_words(segment.words)
        assert round(segment.end - segment.start, 3) <= limits.max_duration_s or len(segment.words) == 1


@given(words_lists | ordered_words, limits)
def test_segmenting_again_changes_nothing(words, limits):
    segments = segment_words(words, limits=limits)
    assert segment_words([word for segment in segments for word in segment.words], limits=limits) == segments
    for segment in segments:
        (again,) = segment_words(segment.words, limits=limits)
        assert again.words == segment.words


@given(ordered_words, limits)
def test_no_pause_inside_is_longer_than_the_limit(words, limits):
    for segment in segment_words(words, limits=limits):
        heard_until = segment.start
        for word in segment.words:
            assert round(word.start - heard_until, 3) <= limits.max_pause_s
            heard_until = max(heard_until, word.end)
