"""From hand-written probabilities of speakers, in frames of 80 ms, to turns."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from common.timeline import Turn
from handlers.diarization.activity import Binarization, speaker_turns, speech_spans, with_at_most

PLAIN = Binarization()


def spans(probabilities, **rule):
    return speech_spans(np.float32(probabilities), rule=Binarization(**rule), frame_s=0.08).tolist()


def spoken(columns, *, rule=PLAIN, duration_s=100.0):
    return speaker_turns(np.float32(columns).T, rule=rule, frame_s=0.08, duration_s=duration_s)


@pytest.mark.parametrize(
    ("probabilities", "expected"),
    [
        ([0.1, 0.2, 0.1], []),
        ([0.9, 0.9, 0.1], [[0.0, 0.16]]),
        ([0.1, 0.9, 0.1, 0.8, 0.8], [[0.08, 0.16], [0.24, 0.40]]),
        ([0.5, 0.5], []),  # neither above onset nor below offset: as before
        ([0.6, 0.5, 0.4], [[0.0, 0.16]]),
    ],
)
def test_speech_is_what_is_more_probable_than_not(probabilities, expected):
    assert spans(probabilities) == expected


def test_speech_begins_above_onset_and_goes_on_down_to_offset():
    assert spans([0.6, 0.8, 0.6, 0.4, 0.2, 0.6], onset=0.7, offset=0.3) == [[0.08, 0.32]]


def test_between_an_onset_and_a_higher_offset_speech_comes_and_goes_every_10_ms():
    halting = [[0.0, 0.01], [0.02, 0.03], [0.04, 0.05], [0.06, 0.07]]
    assert spans([0.65, 0.1], onset=0.6, offset=0.7) == halting
    assert spans([0.65, 0.1], onset=0.6, offset=0.7, min_duration_off_s=0.02) == [[0.0, 0.07]]
    assert spans([0.9, 0.65, 0.1], onset=0.6, offset=0.7, pad_onset_s=0.02) == [[0.0, 0.16]]


def test_spans_are_padded_but_not_to_before_the_audio_and_joined_where_they_meet():
    padded = {"pad_onset_s": 0.05, "pad_offset_s": 0.03}
    assert spans([0.9, 0.1, 0.1, 0.9, 0.1], **padded) == [[0.0, 0.11], [0.19, 0.35]]
    assert spans([0.9, 0.1, 0.9, 0.1], **padded) == [[0.0, 0.27]]


def test_short_speech_is_dropped_before_short_silence_is_filled():
    seen = [0.9, 0.9, 0.1, 0.9, 0.1, 0.9, 0.9]
    assert spans(seen, min_duration_on_s=0.1, min_duration_off_s=0.2) == [[0.0, 0.16], [0.4, 0.56]]
    assert spans(seen, min_duration_off_s=0.1) == [[0.0, 0.56]]
    assert spans(seen, min_duration_off_s=0.08) == [[0.0, 0.16], [0.24, 0.32], [0.4, 0.56]]


def test_speakers_are_numbered_as_they_appear_and_the_silent_are_not_numbered():
    found = spoken([[0.1, 0.1, 0.9], [0.0, 0.0, 0.0], [0.9, 0.1, 0.1]])
    expected = (Turn(0.0, 0.08, "SPEAKER_00"), Turn(0.16, 0.24, "SPEAKER_01"))
    assert found.turns == found.exclusive == expected


def test_in_overlap_the_exclusive_turns_are_those_of_the_most_probable_in_each_frame():
    found = spoken([[0.9, 0.9, 0.6, 0.6, 0.0], [0.0, 0.8, 0.8, 0.7, 0.9]])
    assert found.turns == (Turn(0.0, 0.32, "SPEAKER_00"), Turn(0.08, 0.4, "SPEAKER_01"))
    assert found.exclusive == (Turn(0.0, 0.16, "SPEAKER_00"), Turn(0.16, 0.4, "SPEAKER_01"))


def test_what_is_padded_belongs_to_its_speaker_alone_only_where_no_other_talks():
    found = spoken([[0.9, 0.1, 0.1, 0.1], [0.0, 0.2, 0.9, 0.1]], rule=Binarization(pad_onset_s=0.1))
    assert found.turns == (Turn(0.0, 0.08, "SPEAKER_00"), Turn(0.06, 0.24, "SPEAKER_01"))
    assert found.exclusive == (Turn(0.0, 0.08, "SPEAKER_00"), Turn(0.08, 0.24, "SPEAKER_01"))


def test_turns_end_with_the_audio_and_none_begin_after_it():
    found = spoken([[0.9, 0.9, 0.1], [0.1, 0.1, 0.9]], duration_s=0.1)
    assert found.turns == found.exclusive == (Turn(0.0, 0.1, "SPEAKER_00"),)


def test_speech_of_those_who_talk_least_goes_to_the_most_probable_of_the_others_as_a_whole():
    most, least, more, never = (
        [0.9, 0.9, 0.9, 0.2, 0.2, 0.0, 0.0, 0.0],
        [0.1, 0.1, 0.1, 0.9, 0.7, 0.0, 0.0, 0.0],
        [0.0, 0.0, 0.0, 0.3, 0.2, 0.9, 0.9, 0.9],
        [0.0, 0.0, 0.0, 0.0, 0.0, 0.4, 0.4, 0.4],
    )
    kept = with_at_most(np.float32([most, least, more, never]).T, speakers=2, onset=0.5).T
    assert kept.tolist() == np.float32([most, [0.0, 0.0, 0.0, 0.9, 0.7, 0.9, 0.9, 0.9]]).tolist()


def test_speakers_who_are_few_enough_stay_as_they_are():
    probabilities = np.float32([[0.1, 0.9, 0.6, 0.2], [0.9, 0.2, 0.7, 0.3]])
    assert with_at_most(probabilities, speakers=4, onset=0.5).tolist() == probabilities.tolist()


RULES = [
    PLAIN,
    Binarization(onset=0.56, offset=1.0, pad_onset_s=0.063, pad_offset_s=0.002, min_duration_off_s=0.151),
    Binarization(onset=0.6, offset=0.3, min_duration_on_s=0.2),
]


@given(
    arrays.arrays(np.float32, st.tuples(st.integers(1, 40), st.just(4)), elements=st.floats(0, 1, width=32)),
    st.sampled_from(RULES),
    st.floats(0.01, 3.5),
)
def test_exclusive_turns_never_overlap_and_cover_what_all_turns_cover(probabilities, rule, duration_s):
    found = speaker_turns(probabilities, rule=rule, frame_s=0.08, duration_s=duration_s)
    assert list(found.turns) == sorted(found.turns)
    assert all(first.end <= second.start for first, second in pairwise(found.exclusive))
    assert all(0 <= turn.start < turn.end <= duration_s for turn in (*found.turns, *found.exclusive))
    for turn in found.exclusive:
        assert any(a.start <= turn.start and turn.end <= a.end for a in found.turns if a.speaker == turn.speaker)
    edges = sorted({edge for turn in found.turns for edge in (turn.start, turn.end)})
    for first, last in pairwise(edges):
        middle = (first + last) / 2
        heard = [any(turn.start <= middle < turn.end for turn in turns) for turns in (found.turns, found.exclusive)]
        assert heard[0] == heard[1]
