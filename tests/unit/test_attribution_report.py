"""From scores to figures: pooling, intervals, the worst conversation."""

import json

import pytest

from benchmarks.attribution.bootstrap import interval, interval_of_difference
from benchmarks.attribution.conversations import Conversation
from benchmarks.attribution.measure import Row, Scores, diarization_errors, score
from benchmarks.attribution.report import Report
from benchmarks.attribution.rules import rules
from benchmarks.attribution.scoring import Rate
from benchmarks.attribution.synthetic import synthetic
from common.timeline import Turn


def rate(errors, words=100):
    return Rate(errors=errors, words=words)


def test_conversations_that_are_alike_leave_no_doubt():
    assert interval([rate(5)] * 6) == (5.0, 5.0)
    assert interval_of_difference([rate(5)] * 6, [rate(9)] * 6) == (-4.0, -4.0)


def test_the_interval_holds_the_pooled_rate_and_is_the_same_every_time():
    rates = [rate(errors, words) for errors, words in ((1, 100), (9, 300), (30, 200), (2, 150))]
    low, high = interval(rates)
    assert low < 100 * 42 / 750 < high
    assert interval(rates) == (low, high)


def test_differences_are_paired():
    """Conversations differ a lot, the rules by one word in each: only then is the difference certain."""
    theirs = [rate(2), rate(50), rate(20), rate(90)]
    ours = [rate(one.errors - 1) for one in theirs]
    assert interval_of_difference(ours, theirs) == pytest.approx((-1.0, -1.0))


def conversation(name, split="development", kind="real"):
    turns = (Turn(0.0, 4.0, "A"), Turn(4.0, 10.0, "B"))
    return Conversation(name=name, split=split, kind=kind, samples=None, utterances=(), turns=turns, duration_s=10.0)


def row(name, parley, whisperx, **about):
    def scores(errors):
        return Scores(
            wder=rate(errors),
            cp_wer=rate(9),
            tcp_wer=None,
            oracle_wder=rate(1),
            oracle_cp_wer=rate(8),
            without_speaker=2,
        )

    found = {"parley": scores(parley), "whisperx": scores(whisperx)}
    own = conversation(name, **about)
    return Row(conversation=own, words=100, speakers_found=2, der=rate(7), unreachable=rate(3), scores=found)


ROWS = [
    row("one", 2, 10),
    row("two", 5, 4, split="held-out"),
    row("three", 2, 10),
    row("made up", 60, 50, kind="synthetic"),
]
SPEED = {"merge_s": 0.05, "merge_worst_s": 0.1, "whisperx_s": 0.4, "whisperx_is": "own implementation"}


def test_the_line_of_json_has_what_is_judged():
    line = json.loads(Report(rows=ROWS, pool_all=False, speed=SPEED).json_line())
    assert line["wder"] == {"parley": 3.0, "whisperx": 8.0}
    assert line["cpwer"] == {"parley": 9.0, "whisperx": 9.0}
    assert line["ratio_to_whisperx"] == 0.375
    assert (line["ratio_by_split"], line["unreachable"]) == ({"development": 0.2, "held-out": 1.25}, 3.0)
    assert (line["merge_s"], line["whisperx_s"]) == (0.05, 0.4)
    assert (line["worst_conversation"], line["worst_conversation_points"]) == ("two", 1.0)
    assert (line["development"]["parley"], line["held-out"]["parley"]) == (2.0, 5.0)
    assert (line["synthetic"]["parley"], line["oracle_wder"]["parley"]) == (60.0, 1.0)
    assert (line["oracle_cpwer"]["parley"], line["oracle_wder_by_split"]["held-out"]) == (8.0, 1.0)
    assert line["tcpwer"] is None
    assert line["without_speaker"] == {"parley": 6, "whisperx": 6}


def test_without_recordings_the_made_up_ones_count():
    line = json.loads(Report(rows=ROWS, pool_all=True, speed=SPEED, notes=["no DATA"]).json_line())
    assert line["wder"]["parley"] == 17.25
    assert (line["conversations"], line["notes"]) == (4, ["no DATA"])


def test_the_table_names_every_rule_and_every_conversation():
    table = Report(rows=ROWS, pool_all=False, speed=SPEED).table()
    assert all(name in table for name in ("parley", "whisperx", "one", "two", "three", "made up"))
    assert "difference -5.00 points" in table


def test_der_counts_confusion_false_alarm_and_missed_speech():
    found = diarization_errors(conversation("one"), [Turn(0.0, 5.0, "x"), Turn(5.0, 9.0, "y")])
    assert found == Rate(errors=2000, words=10_000)


def test_a_conversation_is_scored_by_every_rule():
    (heard, _) = synthetic(per_split=1, longest_s=15.0)
    scored = score(heard, rules(), normalise=lambda text: text.lower().rstrip(".?"))
    assert scored.words == len(heard.words)
    assert set(scored.scores) == set(rules())
    assert scored.scores["parley"].wder.percent < 20
    assert 0 < scored.der.percent < 30
