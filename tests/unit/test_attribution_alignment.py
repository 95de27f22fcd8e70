"""Who said which heard word, found by text and time."""

from benchmarks.attribution.alignment import align, heard_words
from benchmarks.attribution.conversations import Utterance, spoken
from common.timeline import Word


def said_by(utterances, words):
    return align(utterances, words, normalise=str.lower)


def evenly(text, start, step_s=0.5):
    return [Word(one, start + n * step_s, start + (n + 1) * step_s) for n, one in enumerate(text.split())]


DIALOGUE = [spoken("A", 0.0, 2.0, "good morning my friend"), spoken("B", 2.2, 4.2, "how are you today")]


def test_words_belong_to_whose_words_they_are_even_at_the_wrong_time():
    late = evenly("good morning my friend how are you today", 0.4)
    assert said_by(DIALOGUE, late) == [("A", True)] * 4 + [("B", True)] * 4


def test_a_substituted_word_belongs_to_whose_word_is_missing():
    found = said_by(DIALOGUE, evenly("good morning my fiend cow are you today", 0.0))
    assert found == [("A", True)] * 3 + [("A", False), ("B", False)] + [("B", True)] * 3


def test_an_added_word_is_nobodys():
    assert said_by(DIALOGUE[:1], evenly("good morning my dear friend", 0.0))[3:] == [None, ("A", True)]


def test_lost_words_shift_nothing():
    assert said_by(DIALOGUE, evenly("good are today", 0.2, step_s=1.2)) == [("A", True), ("B", True), ("B", True)]


def test_an_answer_in_the_middle_of_a_sentence_is_found():
    utterances = [spoken("A", 0.0, 5.0, "we went down to the river yesterday"), spoken("B", 2.0, 2.4, "yeah")]
    heard = evenly("we went down yeah to the river yesterday", 0.0, step_s=0.6)
    assert [one[0] for one in said_by(utterances, heard)] == ["A"] * 3 + ["B"] + ["A"] * 4


def test_the_same_words_of_two_who_talk_at_once_are_told_apart_by_their_order():
    utterances = [spoken("A", 0.0, 2.0, "one two three four"), spoken("B", 1.0, 3.0, "three four five six")]
    found = said_by(utterances, evenly("one two three four three four five six", 0.0, step_s=0.4))
    assert [one[0] for one in found] == ["A"] * 4 + ["B"] * 4


def test_words_far_from_their_time_are_others():
    assert said_by([spoken("A", 0.0, 1.0, "hello")], [Word("hello", 30.0, 30.5)]) == [None]


def test_a_word_repeated_minutes_later_is_the_later_speakers():
    utterances = [spoken("A", 0.0, 0.5, "okay"), spoken("B", 60.0, 60.5, "okay")]
    assert said_by(utterances, [Word("okay", 60.1, 60.4)]) == [("B", True)]


def test_nothing_heard_and_nothing_said():
    assert said_by(DIALOGUE, []) == []
    assert said_by([], evenly("hello there", 0.0)) == [None, None]


def test_a_normaliser_may_make_several_words_of_one_or_none():
    expanded = {"I'm": "i am", "um": ""}
    words = [Word("I'm", 0.0, 0.4), Word("um", 0.4, 0.6), Word("here", 0.6, 1.0)]
    pieces = heard_words(words, lambda text: expanded.get(text, text))
    assert [(index, piece.text) for index, piece in pieces] == [(0, "i"), (0, "am"), (2, "here")]


def test_words_of_an_utterance_are_spread_by_their_letters():
    utterance = spoken("A", 1.0, 2.0, "a bcd efg")
    assert [(word.start, word.end) for word in utterance.words] == [(1.0, 1.2), (1.2, 1.6), (1.6, 2.0)]
    assert utterance == Utterance(speaker="A", start=1.0, end=2.0, words=utterance.words)
