import math

from common.timeline import Turn
from handlers.diarization.outcome import outcome


def turn(start, end, speaker):
    return Turn(start=start, end=end, speaker=speaker)


def test_speakers_are_numbered_as_they_appear():
    found = outcome(
        [(4.0, 5.0, "0"), (1.0, 2.0, "7"), (1.5, 3.0, "0")], [(1.0, 1.5, "7")], {"0": [1.0], "7": [2.0]}, duration_s=9.0
    )
    assert found.turns == (turn(1.0, 2.0, "SPEAKER_00"), turn(1.5, 3.0, "SPEAKER_01"), turn(4.0, 5.0, "SPEAKER_01"))
    assert found.exclusive == (turn(1.0, 1.5, "SPEAKER_00"),)
    assert found.embeddings == {"SPEAKER_00": [2.0], "SPEAKER_01": [1.0]}


def test_turns_end_with_the_audio():
    found = outcome([(-0.1, 1.0, "a"), (2.9, 3.2, "a"), (3.0, 3.4, "b")], [], {}, duration_s=3.0)
    assert found.turns == (turn(0.0, 1.0, "SPEAKER_00"), turn(2.9, 3.0, "SPEAKER_00"))


def test_an_embedding_that_says_nothing_is_none():
    vectors = {"a": [math.nan, 1.0], "b": [0.0, 0.0], "c": [0.0, 1.0], "nobody": [1.0, 1.0]}
    found = outcome([(number, number + 1.0, name) for number, name in enumerate("abc")], [], vectors, duration_s=9.0)
    assert found.embeddings == {"SPEAKER_02": [0.0, 1.0]}


def test_nobody_talks():
    found = outcome([], [], {}, duration_s=1.0)
    assert (found.turns, found.exclusive, found.embeddings) == ((), (), {})
