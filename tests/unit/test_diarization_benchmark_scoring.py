import pytest

from benchmarks.diarization.scoring import Errors, errors, speakers
from common.timeline import Turn

WHOLE = ((0.0, 20.0),)


def turns(*parts):
    return tuple(Turn(*part) for part in parts)


def parts(found):
    return tuple(round(value, 6) for value in (found.total_s, found.missed_s, found.false_alarm_s, found.confusion_s))


def test_each_kind_of_error_is_counted_without_a_collar():
    reference = turns((0, 10, "a"), (10, 16, "b"))
    found = errors(reference, turns((0.5, 10, "x"), (10, 14, "y"), (14, 17, "x")), uem=WHOLE)
    assert parts(found) == (16.0, 0.5, 1.0, 2.0)
    assert found.der == pytest.approx(100 * 3.5 / 16)


def test_of_two_who_talk_at_once_both_count():
    reference = turns((0, 10, "a"), (4, 8, "b"))
    assert parts(errors(reference, turns((0, 10, "x")), uem=WHOLE)) == (14.0, 4.0, 0.0, 0.0)


def test_only_the_scored_spans_count_for_errors_and_speakers():
    reference, found = turns((0, 10, "a"), (12, 14, "b")), turns((0, 5, "x"), (15, 20, "y"))
    uem = ((0.0, 4.0), (8.0, 11.0))
    assert parts(errors(reference, found, uem=uem)) == (6.0, 2.0, 0.0, 0.0)
    assert (speakers(reference, uem=uem), speakers(found, uem=uem)) == (1, 1)
    assert (speakers(reference, uem=WHOLE), speakers(found, uem=WHOLE)) == (2, 2)


def test_turns_of_one_speaker_that_overlap_are_one():
    reference = turns((0, 6, "a"), (5, 10, "a"))
    assert parts(errors(reference, turns((0, 10, "x")), uem=WHOLE)) == (10.0, 0.0, 0.0, 0.0)


@pytest.mark.parametrize(("found", "der"), [((), 0.0), (((0, 1, "x"),), 100.0)])
def test_where_nobody_speaks_any_turn_is_all_wrong(found, der):
    assert errors((), turns(*found), uem=WHOLE).der == der


def test_pooled_errors_are_weighted_by_speech():
    pooled = Errors(total_s=10.0, missed_s=5.0) + Errors(total_s=90.0, false_alarm_s=1.0, confusion_s=4.0)
    assert pooled == Errors(total_s=100.0, missed_s=5.0, false_alarm_s=1.0, confusion_s=4.0)
    assert pooled.der == 10.0
    assert pooled.percent(pooled.confusion_s) == 4.0
