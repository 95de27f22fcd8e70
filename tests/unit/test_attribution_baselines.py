"""The rules of other projects, on cases small enough to see what they must say."""

import numpy as np
import pytest

from benchmarks.attribution import whisperx_package
from benchmarks.attribution.baselines import nearest_turn, whisper_diarization, whisperx, whisperx_fill_nearest
from benchmarks.attribution.rules import rules
from common.timeline import SpeakerTurns, Turn, Word
from tests.support.optional import needed

TURNS = [Turn(0.0, 2.0, "A"), Turn(3.0, 4.0, "B"), Turn(4.0, 10.0, "A")]


def word(start, end, text="word"):
    return Word(text, start, end)


@pytest.mark.parametrize(
    ("one", "label"),
    [
        (word(0.5, 1.0), "A"),
        (word(1.5, 3.2), "A"),
        (word(1.9, 3.2), "B"),
        (word(2.2, 2.8), None),
        (word(1.0, 1.0), None),
        (word(3.5, 4.5), "B"),  # equal: the turn that comes first
        (word(1.5, 4.6), "A"),  # 0.5 + 0.6 s of A
    ],
)
def test_whisperx_adds_up_overlaps(one, label):
    assert whisperx([one], TURNS) == [label]


def test_whisperx_fills_with_the_turn_whose_middle_is_nearest():
    assert whisperx_fill_nearest([word(2.1, 2.3), word(2.3, 2.5), word(0.5, 0.6)], TURNS) == ["A", "B", "A"]


def test_no_turns_no_speakers():
    words = [word(0.0, 1.0)]
    for rule in (whisperx, whisperx_fill_nearest, whisper_diarization, nearest_turn):
        assert rule(words, []) == [None]
        assert rule([], TURNS) == []


def test_the_package_and_our_own_whisperx_agree():
    needed("whisperx")
    assert whisperx_package.installed()
    rng = np.random.default_rng(0)
    for _ in range(50):
        starts = np.sort(rng.uniform(0, 30, 40)).round(1)
        words = [
            word(start, start + length) for start, length in zip(starts, rng.uniform(0, 1, 40).round(1), strict=True)
        ]
        edges = rng.uniform(0, 30, 12).round(1)
        turns = [Turn(edge, edge + 2.5, f"S{n % 3}") for n, edge in enumerate(edges)]
        assert whisperx_package.labels(words, turns) == whisperx(words, turns)


def test_the_nearest_turn_may_be_any_distance_away():
    words = [word(2.0, 2.4), word(2.4, 2.9), word(99.0, 99.5), word(3.2, 3.4)]
    assert nearest_turn(words, TURNS) == ["A", "B", "A", "B"]


def sentence(*texts, step_s=0.5, start=0.0):
    return [word(start + n * step_s, start + n * step_s + 0.4, text) for n, text in enumerate(texts)]


def test_whisper_diarization_takes_the_turn_a_word_starts_in():
    # no change of speaker inside a sentence, so that nothing is realigned; 2.5 is between turns and gets the next
    words = [word(0.5, 0.9, "Yes."), word(2.5, 2.9, "No."), word(3.6, 4.9, "No."), word(50.0, 51.0, "Yes.")]
    assert whisper_diarization(words, TURNS) == ["A", "B", "B", "A"]


def test_whisper_diarization_gives_a_sentence_to_the_majority():
    words = sentence("I", "came", "home", "late", "yesterday.", "Really?")
    turns = [Turn(0.0, 0.9, "B"), Turn(0.9, 2.4, "A"), Turn(2.4, 5.0, "B")]
    assert whisper_diarization(words, turns) == ["A"] * 5 + ["B"]


def test_whisper_diarization_leaves_a_sentence_whose_end_is_out_of_reach():
    words = sentence(*["so"] * 60, "end.")
    turns = [Turn(0.0, 0.9, "A"), Turn(0.9, 60.0, "B")]
    assert whisper_diarization(words, turns) == ["A"] * 2 + ["B"] * 59


def test_the_others_get_the_turns_as_found():
    spoken = SpeakerTurns(turns=(Turn(0.0, 2.0, "A"),), exclusive=(Turn(0.0, 2.0, "B"),))
    found = {name: rule([word(0.5, 1.0)], spoken) for name, rule in rules().items() if not name.startswith("parley")}
    assert set(map(tuple, found.values())) == {("A",)}
    assert {"whisperx", "whisperx_fill_nearest", "whisper_diarization", "nearest_turn"} <= set(found)
