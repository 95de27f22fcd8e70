import pytest

from common.errors import InvalidInputError
from common.timeline import Segment, Transcript, Turn, Word, join_words


@pytest.mark.parametrize(("start", "end"), [(-1, 2), (2, 1), (float("nan"), 1), (0, float("inf"))])
def test_impossible_times_are_refused(start, end):
    with pytest.raises(InvalidInputError):
        Turn(start, end, "A")
    with pytest.raises(InvalidInputError):
        Word("a", start, end)


def test_a_turn_needs_a_speaker():
    with pytest.raises(InvalidInputError, match="empty speaker"):
        Turn(0, 1, "")


def test_a_shifted_word_keeps_everything_else():
    assert Word("a", 1, 2, 0.5, "S", space_before=False).shifted(3) == Word("a", 4, 5, 0.5, "S", space_before=False)


def test_words_join_with_spaces_where_they_are_written():
    assert join_words([Word("Hello", 0, 1), Word("there", 1, 2)]) == "Hello there"
    assert join_words([Word("你", 0, 1), Word("好", 1, 2, space_before=False)]) == "你好"


def test_a_transcript_knows_its_words_text_and_speakers():
    segments = (
        Segment(0, 0, 1, "Hi.", "B", (Word("Hi.", 0, 1, speaker="B"),)),
        Segment(1, 1, 2, "Yes.", None, (Word("Yes.", 1, 2),)),
    )
    transcript = Transcript(segments, 2.0, "en", diarized=True, turns=(Turn(0, 1, "B"), Turn(1, 2, "A")))
    assert transcript.text == "Hi. Yes."
    assert [word.text for word in transcript.words] == ["Hi.", "Yes."]
    assert transcript.speakers == ("A", "B")
