from hypothesis import given
from hypothesis import strategies as st

from common.timeline import Word
from handlers.transcription.words import clamped

times = st.floats(min_value=0, max_value=50)
words = st.lists(st.builds(lambda start, length: Word("a", start, start + length), times, times))


@given(words, times)
def test_words_end_up_inside_the_audio_in_order(found, duration_s):
    result = clamped(found, duration_s=duration_s)
    assert len(result) == len(found)
    starts = [word.start for word in result]
    assert starts == sorted(starts)
    assert all(word.start <= word.end <= duration_s for word in result)


@given(words, times)
def test_clamping_again_changes_nothing(found, duration_s):
    once = clamped(found, duration_s=duration_s)
    assert clamped(once, duration_s=duration_s) == once


def test_a_word_that_goes_back_keeps_its_place():
    found = [Word("one", 1.0, 2.0), Word("two", 0.5, 0.8), Word("three", 3.0, 9.0)]
    assert [(word.text, word.start, word.end) for word in clamped(found, duration_s=4.0)] == [
        ("one", 1.0, 2.0),
        ("two", 1.0, 1.0),
        ("three", 3.0, 4.0),
    ]
