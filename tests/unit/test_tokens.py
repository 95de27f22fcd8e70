"""Pieces with frames into words with times."""

import pytest

from common.timeline import join_words
from handlers.transcription.tokens import Token, is_punctuation, spelled

FRAME_S = 0.08


def heard(*pieces, duration_s=100.0):
    """Spell pieces that are each `(piece, frame, frames, probability)`, the latter two 1 and 0.9 if left out."""
    tokens = [Token(*piece, *(1, 0.9)[len(piece) - 2 :]) for piece in pieces]
    return spelled(tokens, frame_s=FRAME_S, duration_s=duration_s)


def in_frames(words):
    return [(word.text, round(word.start / FRAME_S, 3), round(word.end / FRAME_S, 3)) for word in words]


def test_pieces_are_joined_at_the_spaces_between_words():
    words = heard(("▁good", 2, 3), ("▁mor", 6, 2), ("ning", 8, 4))
    assert in_frames(words) == [("good", 2, 5), ("morning", 6, 12)]
    assert join_words(words) == "good morning"


@pytest.mark.parametrize("stop", [("▁.",), (".",)])
def test_a_full_stop_heard_in_the_pause_does_not_make_its_word_longer(stop):
    words = heard(("▁door", 2, 3), (*stop, 20, 4, 0.1), ("▁yes", 30, 2))
    assert in_frames(words) == [("door.", 2, 5), ("yes", 30, 32)]
    assert words[0].confidence == 0.9


def test_a_word_is_as_sure_as_its_least_sure_piece():
    words = heard(("▁hel", 0, 1, 0.95), ("lo", 1, 1, 0.4), ("▁you", 3, 1, 0.8))
    assert [word.confidence for word in words] == [0.4, 0.8]


def test_a_space_by_itself_begins_the_next_word_and_has_no_time():
    words = heard(("▁a", 0, 2), ("▁", 3), ("b", 5), ("c", 6))
    assert in_frames(words) == [("a", 0, 2), ("bc", 5, 7)]
    assert in_frames(heard(("▁a", 0, 2), ("▁", 3), ("▁b", 5))) == [("a", 0, 2), ("b", 5, 6)]


def test_punctuation_inside_of_a_word_belongs_to_it():
    words = heard(("▁it", 0), ("'", 1), ("s", 2), ("▁3", 5), (".", 6), ("5", 7), ("%", 9))
    assert in_frames(words) == [("it's", 0, 3), ("3.5%", 5, 10)]


def test_an_opening_mark_belongs_to_the_word_after_it():
    assert in_frames(heard(("▁¿", 0), ("Qué", 3, 2), ("?", 9))) == [("¿Qué?", 3, 5)]


def test_punctuation_before_any_word_is_left_out():
    assert heard(("▁.", 0), ("▁,", 2)) == ()
    assert in_frames(heard((".", 0), ("▁a", 2))) == [("a", 2, 3)]


def test_dashes_between_words_are_added_to_the_word_before():
    assert in_frames(heard(("▁well", 0), ("▁–", 2), ("▁no", 5))) == [("well–", 0, 1), ("no", 5, 6)]


def test_scripts_without_spaces_have_a_word_per_character():
    words = heard(("▁你", 0), ("好", 2), ("。", 4), ("▁OK", 6), ("か", 8), ("ー", 9))
    assert in_frames(words) == [("你", 0, 1), ("好。", 2, 3), ("OK", 6, 7), ("か", 8, 9), ("ー", 9, 10)]
    assert join_words(words) == "你好。 OKかー"


def test_korean_has_spaces():
    words = heard(("▁안녕", 0, 2), ("하세요", 2, 3), ("▁네", 8))
    assert in_frames(words) == [("안녕하세요", 0, 5), ("네", 8, 9)]


def test_a_piece_without_a_space_at_the_start_of_a_window_is_a_word_without_one():
    words = heard(("ning", 0), ("▁all", 2))
    assert [(word.text, word.space_before) for word in words] == [("ning", False), ("all", True)]


def test_a_token_that_lasts_no_frame_lasts_one():
    assert in_frames(heard(("▁a", 3, 0))) == [("a", 3, 4)]


def test_no_word_is_later_than_the_audio():
    words = heard(("▁a", 1, 4), ("▁b", 20, 2), duration_s=0.3)
    assert [(word.start, word.end) for word in words] == [(0.08, 0.3), (0.3, 0.3)]


@pytest.mark.parametrize("text", ["", ".", "?!", "…", "«", " ", "。", "-", "'", "–"])
def test_marks_are_punctuation(text):
    assert is_punctuation(text)


@pytest.mark.parametrize("text", ["a", "7", "%", "&", "@", "#", "$", "€", "+", "好", "a."])
def test_what_is_spoken_is_no_punctuation(text):
    assert not is_punctuation(text)
