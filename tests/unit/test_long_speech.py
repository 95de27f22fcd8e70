"""Synthetic recordings of any length: what is said where, and that it is so."""

import numpy as np
import pytest

from tests.fixtures.tiny_parakeet.long_speech import compose
from tests.fixtures.tiny_parakeet.vocabulary import TRAINING_VOICES, WORDS

RATE = 16_000


@pytest.fixture(scope="module")
def speech():
    return compose(total_s=300, seed=5)


def level_db(samples):
    return 10 * np.log10(np.mean(np.square(samples, dtype=np.float64)) + 1e-20)


def test_it_is_about_as_long_as_asked(speech):
    assert 300 <= len(speech.samples) / RATE < 340


def test_words_are_known_in_order_and_inside_their_utterance(speech):
    assert len(speech.words) > 300
    assert {word.text for word in speech.words} <= set(WORDS)
    ends = [0.0, *(word.end for word in speech.words)]
    assert all(end <= word.start + 1e-6 for end, word in zip(ends, speech.words, strict=False))
    for utterance in speech.utterances:
        assert utterance.first / RATE <= utterance.words[0].start
        assert utterance.words[-1].end <= utterance.last / RATE


def test_utterances_do_not_overlap(speech):
    lasts = [0, *(utterance.last for utterance in speech.utterances)]
    assert all(last <= utterance.first for last, utterance in zip(lasts, speech.utterances, strict=False))


def test_there_is_more_than_a_minute_without_a_pause(speech):
    longest_s = start_s = 0.0
    for word, following in zip(speech.words, speech.words[1:], strict=False):
        if following.start - word.end > 0.25:
            start_s = following.start
        longest_s = max(longest_s, following.end - start_s)
    assert longest_s > 60


def test_words_are_loud_and_silence_is_not(speech):
    ((start_s, end_s),) = speech.silences
    assert end_s - start_s == 60
    silence = level_db(speech.samples[int(start_s * RATE) : int(end_s * RATE)])
    quiet_words = [
        word
        for word in speech.words
        if level_db(speech.samples[int(word.start * RATE) : int(word.end * RATE)]) < silence + 10
    ]
    assert not quiet_words
    assert not [word for word in speech.words if start_s < word.end and word.start < end_s]


def test_bursts_are_where_no_one_speaks():
    speech = compose(total_s=900, seed=6)
    assert speech.bursts
    for start_s, end_s in speech.bursts:
        assert level_db(speech.samples[int(start_s * RATE) : int(end_s * RATE)]) > -35
        assert not [word for word in speech.words if start_s < word.end and word.start < end_s]


def test_the_voices_can_be_those_of_training():
    assert compose(total_s=30, seed=1, voices=TRAINING_VOICES[:1]).words
