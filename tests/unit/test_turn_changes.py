"""Where one speaker stops and the next begins, in talk of several words."""

from dataclasses import replace

import pytest

from common.errors import InvalidInputError
from common.speakers import assign_speakers
from common.timeline import Turn, Word

A, B = "A", "B"


def talk(text: str, *, start: float = 0.0, word_s: float = 0.3) -> list[Word]:
    """Words one after the other, each `word_s` long; "_" is a pause of that length, "'" in front takes no time."""
    words, now = [], start
    for part in text.split():
        duration_s = 0.0 if part.startswith("'") else word_s
        if part != "_":
            words.append(Word(part.lstrip("'"), round(now, 3), round(now + duration_s, 3)))
        now += duration_s
    return words


def said(words: list[Word], turns: list[tuple[float, float, str]], **options: list[Turn]) -> str:
    found = assign_speakers(words, [Turn(*turn) for turn in turns], **options)
    return "".join(word.speaker or "-" for word in found)


CASES = {
    "a turn that begins early leaves the sentence whole": (
        "So I will go. Fine with me.",
        [(0, 0.95, A), (0.95, 5, B)],
        "AAAABBB",
    ),
    "a turn that begins late does so too": (
        "So I will go. Fine with me.",
        [(0, 1.55, A), (1.55, 5, B)],
        "AAAABBB",
    ),
    "in overlap, the sentence ends where it ends": (
        "So I will go. Fine with me.",
        [(0, 1.8, A), (0.8, 5, B)],
        "AAAABBB",
    ),
    "a pause tells as well": (
        "So I will go _ _ fine with me.",
        [(0, 0.9, A), (0.9, 5, B)],
        "AAAABBB",
    ),
    "on either side of the change": (
        "So I will go _ _ fine with me.",
        [(0, 2.1, A), (2.1, 5, B)],
        "AAAABBB",
    ),
    "one word of a wrong turn does not tear a sentence": (
        "I will be home at six.",
        [(0, 0.9, A), (0.9, 1.15, B), (1.15, 5, A)],
        "AAAAAA",
    ),
    "a sentence of one word is somebody's own": (
        "I will be home. Yeah. At six.",
        [(0, 1.2, A), (1.2, 1.5, B), (1.5, 5, A)],
        "AAAABAA",
    ),
    "and in overlap, if only the other one is heard": (
        "I will be home. Yeah. At six.",
        [(0, 1.25, A), (1.2, 1.5, B), (1.45, 5, A)],
        "AAAABAA",
    ),
    "without any punctuation, one word is a turn too": (
        "I will be home yeah at six",
        [(0, 1.2, A), (1.2, 1.5, B), (1.5, 5, A)],
        "AAAABAA",
    ),
    "words without duration go with their neighbours": (
        "Is it 'in 'the house? No.",
        [(0, 0.9, A), (0.9, 5, B)],
        "AAAAAB",
    ),
    "a speaker may change within a sentence": (
        "I think that we should well no listen to me.",
        [(0, 1.5, A), (1.5, 5, B)],
        "AAAAABBBBB",
    ),
    "a word in the gap between two turns goes with its sentence": (
        "It was me. Who? Not you.",
        [(0, 0.55, A), (0.95, 5, B)],
        "AAABBB",
    ),
    "words of nobody's turn have the speaker of the nearest": (
        "one two. three four.",
        [(0, 0.6, A)],
        "AAAA",
    ),
    "unless it is too far away": (
        "one two. _ _ _ _ _ _ _ _ three four.",
        [(0, 0.6, A)],
        "AA--",
    ),
    "a quoted sentence ends too": (
        '"So I will go." "Fine with me."',
        [(0, 0.95, A), (0.95, 5, B)],
        "AAAABBB",
    ),
    "a name is no sentence": (
        "Then I am Ann. Fine with me.",
        [(0, 0.95, A), (0.95, 5, B)],
        "AAAABBB",
    ),
    "and tears none": (
        "So we went to Paris. Then home.",
        [(0, 1.2, A), (1.2, 1.5, B), (1.5, 5, A)],
        "AAAAAAA",
    ),
    "nor does an abbreviation end one": (
        "So we saw Mr. Smith go home.",
        [(0, 1.05, A), (1.05, 5, B)],
        "AAABBBB",
    ),
    "a mark belongs to the word before": (
        "hello , there friend",
        [(0, 0.3, A), (0.3, 0.6, B), (0.6, 5, A)],
        "AAAA",
    ),
    "capitals all over tell nothing": (
        "SO I WILL GO. FINE WITH ME.",
        [(0, 0.95, A), (0.95, 5, B)],
        "AAAABBB",
    ),
    "and one in Chinese": (
        "我 走 了。 好 的。",
        [(0, 0.6, A), (0.6, 5, B)],
        "AAABB",
    ),
}


@pytest.mark.parametrize(("text", "turns", "expected"), CASES.values(), ids=CASES)
def test_change_of_speakers(text, turns, expected):
    assert said(talk(text), turns) == expected


def test_exclusive_turns_tell_who_is_heard_in_overlap():
    turns, words = [(0, 1.5, A), (0.6, 2.1, B)], talk("We are. Not at all. Late.")
    assert said(words, turns) == "AAAAAB"
    assert said(words, turns, exclusive=[Turn(0, 0.6, A), Turn(0.6, 2.1, B)]) == "AABBBB"
    assert said(words, turns, exclusive=[Turn(0, 1.5, A), Turn(1.5, 2.1, B)]) == "AAAAAB"


def test_a_short_turn_inside_of_another_is_there_for_its_words():
    words = talk("So we all Yeah. go home then.")
    assert said(words, [(0, 5, A), (0.85, 1.25, B)]) == "AAABAAA"
    assert said(words, [(0, 5, A)]) == "AAAAAAA"


def test_confidence_is_the_part_of_the_evidence_for_the_speaker():
    turns = [Turn(0, 2, A), Turn(1, 3, B)]
    alone, both, neither = assign_speakers([Word("a.", 0, 0.5), Word("b.", 1.2, 1.6), Word("c.", 3.2, 3.4)], turns)
    assert [round(word.speaker_confidence, 3) for word in (alone, both, neither)] == [0.99, 0.5, 0.67]
    assert [word.overlap for word in (alone, both, neither)] == [False, True, False]


def test_a_word_that_only_its_sentence_gives_to_a_speaker_says_so_in_its_confidence():
    words = assign_speakers(talk("I will be home at six."), [Turn(0, 0.9, A), Turn(0.9, 1.15, B), Turn(1.15, 5, A)])
    assert [round(word.speaker_confidence, 2) for word in words] == [0.99, 0.99, 0.99, 0.17, 0.99, 0.99]
    assert not any(word.overlap for word in words)


def test_one_sentence_end_in_fifty_words_tells_that_there_are_sentences():
    turns = [Turn(0, 0.9, A), Turn(0.9, 1.2, B), Turn(1.2, 60, A)]  # the fourth word is in a turn of its own
    for words, expected in ((40, "AAAAAA"), (80, "AAABAA")):
        found = assign_speakers(talk("so I will go home " + "and " * words + "end."), turns)
        assert "".join(word.speaker for word in found)[:6] == expected


def test_a_short_word_weighs_little():
    turns = [Turn(0, 0.3, A), Turn(0.3, 0.36, B), Turn(0.36, 5, A)]
    short = [Word("so", 0.0, 0.3), Word("a", 0.3, 0.36), Word("turn", 0.36, 0.7)]
    assert [word.speaker for word in assign_speakers(short, turns)] == [A, A, A]
    longer = [Word("so", 0.0, 0.3), Word("long", 0.3, 0.6), Word("turn", 0.6, 0.9)]
    turns = [Turn(0, 0.3, A), Turn(0.3, 0.6, B), Turn(0.6, 5, A)]
    assert [word.speaker for word in assign_speakers(longer, turns)] == [A, B, A]


def test_spaces_around_words_do_not_matter():
    words = [replace(word, text=f" {word.text} ") for word in talk("So I will go. Fine with me.")]
    assert said(words, [(0, 0.95, A), (0.95, 5, B)]) == "AAAABBB"


def test_the_only_speaker_near_is_more_than_a_guess():
    (alone,) = assign_speakers([Word("so", 1.0, 1.3)], [Turn(1.4, 2, A), Turn(20, 30, B)])
    (nearer,) = assign_speakers([Word("so", 1.0, 1.3)], [Turn(1.4, 2, A), Turn(2.8, 4, B)])
    assert [round(word.speaker_confidence, 2) for word in (alone, nearer)] == [0.85, 0.72]


def test_exclusive_turns_of_somebody_far_away_are_no_evidence():
    turns = [Turn(8, 9.9, A), Turn(12, 12.2, B), Turn(100, 101, "C")]
    (word,) = assign_speakers([Word("so", 10.0, 10.3)], turns, exclusive=[*turns, Turn(10, 10.3, "C")])
    assert (word.speaker, round(word.speaker_confidence, 2)) == (A, 0.74)


@pytest.mark.parametrize("gap_s", [-0.1, float("nan")])
def test_a_gap_below_zero_is_refused(gap_s):
    with pytest.raises(InvalidInputError, match="max_gap_s must be 0 or more"):
        assign_speakers([Word("so", 0, 1)], [Turn(0, 1, A)], max_gap_s=gap_s)


@pytest.mark.parametrize(("other", "overlap"), [(0.14, False), (0.15, True)])
def test_overlap_is_half_of_the_word(other, overlap):
    (word,) = assign_speakers([Word("so", 1.0, 1.3)], [Turn(0, 2, A), Turn(1.3 - other, 2, B)])
    assert (word.speaker, word.overlap) == (A, overlap)
