import pytest

from common import repair as repair_module
from common.answer import Heard
from common.coverage import Coverage
from common.repair import after_repair, plan_repair
from common.timeline import Turn, Word

FIRST, LAST = Word("First", 0.0, 1.0), Word("last.", 9.0, 10.0)
FOUND = Word("found", 4.0, 5.0)
TURNS = (Turn(0.0, 6.0, "A"), Turn(5.0, 10.0, "B"))


def heard(*words, coverage=None, language="en", duration_s=10.0):
    return Heard(words=words, language=language, duration_s=duration_s, coverage=coverage)


def words_of(one):
    return [word.text for word in one.words]


def test_a_hole_is_speech_far_from_words_and_is_decoded_with_what_is_around_it():
    plan = plan_repair(heard(FIRST, LAST), TURNS)
    assert plan.holes == ((1.2, 8.8),)
    assert plan.spans == ((pytest.approx(0.2), 9.8),)
    assert plan.language == "en"


def test_silence_between_turns_is_no_hole():
    turns = (Turn(0.0, 2.0, "A"), Turn(8.0, 10.0, "B"))
    assert plan_repair(heard(FIRST, LAST), turns).spans == ()


def test_spans_stay_inside_the_audio_and_those_that_touch_are_one():
    turns = (Turn(0.0, 2.0, "A"), Turn(3.0, 4.5, "A"), Turn(8.0, 11.0, "A"))
    plan = plan_repair(heard(), turns)
    assert plan.holes == ((0.0, 2.0), (3.0, 4.5), (8.0, 11.0))
    assert plan.spans == ((0.0, 5.5), (7.0, 10.0))


def test_an_unknown_language_is_not_asked_for():
    assert plan_repair(heard(language="und"), TURNS).language is None


def test_what_the_worker_found_empty_is_not_decoded_again_but_what_it_could_not_decode_is():
    empty = Coverage(speech_s=10.0, empty=((1.1, 5.0),))
    assert plan_repair(heard(FIRST, LAST, coverage=empty), TURNS).holes == ((5.0, 8.8),)
    failed = Coverage(speech_s=10.0, empty=((1.1, 5.0),), failed=((1.0, 5.0),))
    assert plan_repair(heard(FIRST, LAST, coverage=failed), TURNS).holes == ((1.2, 8.8),)


def test_too_many_holes_are_the_longest_ones_until_there_is_enough(monkeypatch):
    turns = tuple(Turn(10.0 * n, 10.0 * n + n, "A") for n in range(1, 6))
    monkeypatch.setattr(repair_module, "MAX_HOLES", 3)
    assert plan_repair(heard(duration_s=60.0), turns).holes == ((30.0, 33.0), (40.0, 44.0), (50.0, 55.0))
    monkeypatch.setattr(repair_module, "MAX_DECODED_S", 7.0)
    assert plan_repair(heard(duration_s=60.0), turns).holes == ((40.0, 42.0), (50.0, 55.0))
    monkeypatch.setattr(repair_module, "MAX_DECODED_S", 5.5)
    assert plan_repair(heard(duration_s=60.0), turns).holes == ((50.0, 55.0),)


def test_found_words_fill_the_hole_and_what_stays_is_told():
    before = heard(FIRST, LAST)
    after = after_repair(before, TURNS, repair=plan_repair(before, TURNS), found=heard(FOUND))
    assert after.words == (FIRST, FOUND, LAST)
    assert after.coverage.as_dict() == {
        "speech_s": 10.0,
        "repaired_s": 1.4,
        "empty_s": 6.2,
        "empty": [{"start": 1.2, "end": 3.8}, {"start": 5.2, "end": 8.8}],
        "failed": [],
    }


def test_a_word_close_to_the_hole_fills_it_too():
    before = heard(FIRST, LAST)
    found = heard(Word("soon", 1.0, 1.15), Word("first", 0.1, 0.9))
    assert words_of(after_repair(before, TURNS, repair=plan_repair(before, TURNS), found=found)) == [
        "First",
        "soon",
        "last.",
    ]


@pytest.mark.parametrize("found", [None, heard()])
def test_nothing_decoded_or_nothing_found_leaves_the_words_and_tells(found):
    before = heard(FIRST, LAST, coverage=Coverage(speech_s=9.0, repaired_s=0.5))
    after = after_repair(before, TURNS, repair=plan_repair(before, TURNS), found=found)
    assert after.words == before.words
    assert after.coverage == Coverage(speech_s=10.0, repaired_s=0.5, empty=((1.2, 8.8),))


def test_what_failed_at_first_and_is_decoded_now_has_not_failed():
    before = heard(FIRST, LAST, coverage=Coverage(speech_s=9.0, failed=((3.5, 5.5), (7.5, 8.5))))
    after = after_repair(before, TURNS, repair=plan_repair(before, TURNS), found=heard(FOUND))
    assert after.coverage.failed == ((7.5, 8.0),)
    assert after.coverage.empty == ((1.2, 3.8), (5.2, 7.5), (8.0, 8.8))


def test_what_fails_again_is_told_as_failed():
    before = heard(FIRST, LAST)
    found = heard(coverage=Coverage(speech_s=1.0, failed=((3.0, 4.0),)))
    after = after_repair(before, TURNS, repair=plan_repair(before, TURNS), found=found)
    assert after.coverage.failed == ((3.0, 4.0),)
    assert after.coverage.empty == ((1.2, 3.0), (4.0, 8.8))
