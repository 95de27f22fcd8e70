"""Long audio through a decoder that loses words: what was spoken comes back, and what does not is told."""

import pytest

from common.audio.limits import SAMPLE_RATE
from common.coverage import Coverage, without
from common.errors import EngineError
from common.timeline import Word
from handlers.transcription import long_form
from handlers.transcription.speech_detector import Speech
from handlers.transcription.window_decoder import seconds
from tests.support.lossy_decoder import DURATION_S, SPOKEN, LossyDecoder, heard, misses_in_windows_of


@pytest.fixture(autouse=True)
def speech(monkeypatch):
    """What the detector finds: speech all the time, unless a test says otherwise."""
    found = {"certain": ((0.0, DURATION_S),), "possible": ((0.0, DURATION_S),)}
    monkeypatch.setattr(long_form, "find_speech", lambda samples, stop: Speech(**found))
    return found


def texts(words):
    return [word.text for word in words]


def spans_of(stretches):
    return [(pytest.approx(start), pytest.approx(end)) for start, end in stretches]


def test_words_lost_in_a_long_window_are_heard_when_decoded_alone():
    decoder = LossyDecoder(misses=misses_in_windows_of(10.0))
    words, coverage = heard(decoder)
    assert words == SPOKEN
    assert coverage.repaired_s == pytest.approx(2.6)  # from a quarter of a second after w39 to one before w46
    assert (coverage.empty, coverage.failed) == ((), ())
    assert decoder.rounds[1:] == [spans_of([(19.85, 23.05)])]


def test_words_that_take_more_context_are_heard_in_the_second_round():
    decoder = LossyDecoder(misses=misses_in_windows_of(5.0))
    decoder.misses = lambda window, time_s: 20 <= time_s < 23 and not 5.0 <= seconds(window) < 10.0
    words, coverage = heard(decoder)
    assert words == SPOKEN
    assert coverage.repaired_s == pytest.approx(2.6)
    assert decoder.rounds[1:] == [spans_of([(19.85, 23.05)]), spans_of([(18.65, 24.25)])]


def test_several_holes_are_decoded_in_one_call_each_alone():
    def misses(window, time_s):
        return seconds(window) >= 10 and any(first <= time_s < first + 2 for first in (5, 40, 98))

    decoder = LossyDecoder(misses=misses)
    words, coverage = heard(decoder)
    assert words == SPOKEN
    assert coverage.repaired_s == pytest.approx(1.6 + 1.6 + 1.85)
    assert decoder.rounds[1:] == [spans_of([(4.85, 7.05), (39.85, 42.05), (97.85, 100.0)])]


def test_a_hole_that_stays_empty_is_told_after_two_rounds():
    decoder = LossyDecoder(misses=misses_in_windows_of(0.0))
    words, coverage = heard(decoder)
    assert texts(words) == [f"w{n}" for n in range(200) if not 40 <= n < 46]
    assert coverage == Coverage(speech_s=DURATION_S, repaired_s=0.0, empty=tuple(spans_of([(20.15, 22.75)])))
    assert len(decoder.rounds) == 3


def test_a_hole_heard_in_part_is_repaired_in_part():
    def misses(window, time_s):
        return 20 <= time_s < 23 and (seconds(window) >= 10 or time_s != 21.0)

    words, coverage = heard(LossyDecoder(misses=misses))
    assert texts(words) == [f"w{n}" for n in range(200) if n == 42 or not 40 <= n < 46]
    assert list(coverage.empty) == spans_of([(20.15, 20.75), (21.65, 22.75)])
    assert coverage.repaired_s == pytest.approx(2.6 - 0.6 - 1.1)


def test_a_hole_longer_than_a_window_is_decoded_in_windows():
    decoder = LossyDecoder()
    decoder.misses = lambda window, time_s: 30 <= time_s < 80 and len(decoder.rounds) == 1
    words, coverage = heard(decoder)
    assert words == SPOKEN
    assert coverage.repaired_s == pytest.approx(49.6)
    (windows,) = decoder.rounds[1:]
    assert len(windows) >= 2
    assert all(last - first <= 30 for first, last in windows)


def test_speech_too_short_for_a_word_is_no_hole(speech):
    speech["certain"] = ((0.0, 20.1), (20.6, 20.99), (22.9, DURATION_S))
    decoder = LossyDecoder(misses=misses_in_windows_of(0.0))
    _, coverage = heard(decoder)
    assert coverage == Coverage(speech_s=pytest.approx(97.59))
    assert len(decoder.rounds) == 1


def test_pauses_are_no_holes(speech):
    speech["certain"] = speech["possible"] = ((10.0, 12.0), (60.0, 61.0))
    decoder = LossyDecoder(spoken=tuple(word for word in SPOKEN if 10 <= word.start < 12 or 60 <= word.start < 61))
    words, coverage = heard(decoder)
    assert words == decoder.spoken
    assert coverage == Coverage(speech_s=3.0)
    assert len(decoder.rounds) == 1


def test_words_invented_far_from_speech_are_left_out_and_stretched_ones_cut(speech):
    speech["certain"], speech["possible"] = ((10.0, 12.0),), ((9.5, 12.1),)
    spoken = (Word("ghost", 3.0, 4.0), Word("one", 10.0, 11.0), Word("two", 11.0, 18.0), Word("ghost", 30.0, 31.0))
    words, coverage = heard(LossyDecoder(spoken=spoken))
    assert words == (Word("one", 10.0, 11.0), Word("two", 11.0, 12.1))
    assert coverage == Coverage(speech_s=2.0)


def test_a_window_that_fails_for_good_fails_the_job_by_default():
    with pytest.raises(EngineError, match="the model fails"):
        heard(LossyDecoder(fails=lambda window: window.core_first > 0))


def test_a_window_that_fails_for_good_is_told_in_a_partial_result():
    decoder = LossyDecoder(fails=lambda window: window.first < 45 * SAMPLE_RATE < window.last)
    words, coverage = heard(decoder, partial=True)
    missing = [word for word in SPOKEN if word not in words]
    assert words == tuple(word for word in SPOKEN if not missing[0].start <= word.start <= missing[-1].start)
    assert missing[0].start < 45 < missing[-1].end
    assert list(coverage.failed) == spans_of([(missing[0].start + 0.9, missing[-1].start - 0.5)])  # 1 s from a word
    around = [(missing[0].start + 0.15, missing[-1].start + 0.25)]
    assert list(coverage.empty) == spans_of(without(around, coverage.failed))
    assert decoder.partials == [True, True, True]


def test_a_failed_window_whose_words_are_heard_after_all_has_not_failed():
    decoder = LossyDecoder()
    decoder.fails = lambda window: len(decoder.rounds) == 1 and window.core_first <= 45 * SAMPLE_RATE < window.core_last
    words, coverage = heard(decoder, partial=True)
    assert words == SPOKEN
    assert (coverage.failed, coverage.empty) == ((), ())
    assert coverage.repaired_s > 5.0


def test_repair_may_fail_although_the_rest_may_not():
    decoder = LossyDecoder(misses=misses_in_windows_of(10.0), fails=lambda window: seconds(window) < 10)
    words, coverage = heard(decoder)
    assert len(words) == len(SPOKEN) - 6
    assert list(coverage.empty) == spans_of([(20.15, 22.75)])
    assert (coverage.failed, decoder.partials) == ((), [False, True, True])
