"""WDER and its fellows, counted by hand."""

import pytest

from benchmarks.attribution.conversations import spoken
from benchmarks.attribution.scoring import Rate, Truth
from common.timeline import Turn, Word
from tests.support.optional import needed

UTTERANCES = [spoken("A", 0.0, 2.0, "good morning my friend"), spoken("B", 2.0, 4.0, "how are you today")]
TEXTS = ["good", "morning", "my", "friend", "how", "are", "you", "today"]
HEARD = [Word(text, n * 0.5, n * 0.5 + 0.5) for n, text in enumerate(TEXTS)]


def truth(words=HEARD, utterances=UTTERANCES):
    return Truth(utterances, words, normalise=str.lower)


def wder(labels, **given):
    rate = truth(**given).wder(list(labels))
    return rate.errors, rate.words


@pytest.mark.parametrize("labels", ["aaaabbbb", "bbbbaaaa", "xxxxyyyy"])
def test_labels_mean_nothing_by_themselves(labels):
    assert wder(labels) == (0, 8)


def test_a_word_with_the_neighbours_label_is_wrong():
    assert wder("aaabbbbb") == (1, 8)


def test_a_word_without_speaker_is_wrong():
    assert wder(["a", "a", "a", None, None, "b", "b", "b"]) == (2, 8)


def test_nobody_has_a_speaker():
    assert wder([None] * 8) == (8, 8)


def test_one_label_stands_for_one_speaker_only():
    assert wder("aaaaaaaa") == (4, 8)


def test_a_speaker_with_two_labels_has_one_of_them_wrong():
    assert wder("aaacbbbb") == (1, 8)
    assert wder("aaccbbbb") == (2, 8)


def test_the_best_mapping_is_the_best_for_all():
    # a: 3 of A and 2 of B, b: 2 of B and 1 of A: greedy and best agree only if a is A
    assert wder("aaabaabb") == (3, 8)


def test_substituted_words_count_and_added_and_lost_ones_do_not():
    words = [Word("good", 0.0, 0.5), Word("mourning", 0.5, 1.0), Word("my", 1.0, 1.2), Word("own", 1.2, 1.4)]
    words += [Word("friend", 1.5, 2.0), Word("how", 2.0, 2.5), Word("are", 2.5, 3.0)]
    assert wder(["a", "b", "a", "b", "a", "b", "b"], words=words) == (1, 6)


def test_in_overlap_the_truth_is_whose_word_it_is():
    utterances = [spoken("A", 0.0, 4.0, "we went down to the river yesterday"), spoken("B", 1.6, 2.0, "really")]
    texts = ["we", "went", "down", "really", "to", "the", "river", "yesterday"]
    words = [Word(text, n * 0.5, n * 0.5 + 0.5) for n, text in enumerate(texts)]
    assert wder("aaaaaaaa", words=words, utterances=utterances) == (1, 8)
    assert wder("aaabaaaa", words=words, utterances=utterances) == (0, 8)


def test_words_whose_speaker_has_no_turn_nearby_are_counted():
    turns = [Turn(0.0, 2.0, "a"), Turn(3.4, 4.0, "b"), Turn(2.0, 2.6, "c")]
    beyond = truth().unreachable(list("aaaabbbb"), turns)
    assert (beyond.errors, beyond.words) == (1, 8)  # "how" ends at 2.5 s; "are" at 3.0 s is less than 0.5 s away


def test_cp_wer_counts_a_word_of_the_wrong_speaker_twice():
    words = [Word(w.text, w.start, w.end, speaker="a" if n < 5 else "b") for n, w in enumerate(HEARD)]
    assert truth().cp_wer(words) == Rate(errors=2, words=8)


def test_tcp_wer_does_not_take_a_word_from_far_away():
    needed("meeteval.wer")
    right = [Word(w.text, w.start, w.end, speaker="a" if n < 4 else "b") for n, w in enumerate(HEARD)]
    late = [*right[:-1], Word("today", 33.5, 34.0, speaker="b")]
    assert truth().tcp_wer(right) == Rate(errors=0, words=8)
    assert truth().tcp_wer(late) == Rate(errors=2, words=8)
    assert truth().cp_wer(late) == Rate(errors=0, words=8)


def test_rates_add_up():
    assert (Rate(errors=1, words=10) + Rate(errors=2, words=20)).percent == pytest.approx(10.0)
    assert Rate(errors=0, words=0).percent == 0.0
