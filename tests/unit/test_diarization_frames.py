import numpy as np
import pytest
from pyannote.core import SlidingWindow

from handlers.diarization.frames import active, lay_out, spans, speakers_at_once, votes

# frames of 20 ms every 10 ms, windows of five frames every two
FRAMES = SlidingWindow(start=0.0, duration=0.02, step=0.01)


def grid(windows):
    return lay_out(FRAMES, windows=windows, window_s=0.05, hop_s=0.02)


def heard(*windows):
    """Each window's speakers as rows of frames: "x" talks."""
    return np.array([[[row[frame] == "x" for row in rows] for frame in range(5)] for rows in windows], np.uint8)


def test_windows_lie_where_they_begin():
    found = grid(3)
    assert found.starts.tolist() == [0, 2, 4]
    assert found.total == 10
    assert found.middles(np.array([0, 9])).tolist() == pytest.approx([0.01, 0.1])


def test_as_many_talk_as_most_windows_say():
    speech = heard(("xxxx.", "..x.."), ("xxx..", "....."), ("x....", "....x"))
    #   frames    0 1 2 3 4 5 6 7 8
    #   first     1 1 2 1 0
    #   second        1 1 1 0 0
    #   third             1 0 0 0 1
    assert speakers_at_once(speech, grid(3)).tolist() == [1, 1, 2, 1, 1, 0, 0, 0, 1, 0]


def test_a_vote_is_a_window_that_hears_the_speaker_by_whichever_of_its_own():
    speech = heard(("xxxx.", "..x.."), ("xxx..", "....."))
    together = votes(speech, np.array([[0, 0], [0, -2]]), grid(2))
    assert together[:, 0].tolist() == [1, 1, 2, 2, 1, 0, 0, 0]
    apart = votes(speech, np.array([[0, 1], [0, -2]]), grid(2))
    assert apart[:, 0].tolist() == [1, 1, 2, 2, 1, 0, 0, 0]
    assert apart[:, 1].tolist() == [0, 0, 1, 0, 0, 0, 0, 0]


def test_those_with_most_votes_talk_and_nobody_beside_them_without_any():
    found = np.array([[3, 2, 1], [1, 2, 2], [0, 1, 0], [0, 0, 0], [0, 0, 0]])
    assert active(found, np.array([2, 1, 2, 1, 0])).tolist() == [
        [True, True, False],
        [False, True, False],  # of equals the first
        [False, True, False],
        [True, False, False],  # somebody does
        [False, False, False],
    ]


def talks(text):
    return np.array([letter == "x" for letter in text])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("........", []),
        ("xx......", [(0.01, 0.03)]),
        ("...x..x.", [(0.04, 0.05), (0.07, 0.08)]),
        (".....xxx", [(0.06, 0.08)]),  # to the middle of the last frame
        (".......x", []),  # which is then no time at all
    ],
)
def test_a_span_goes_from_middle_to_middle(text, expected):
    assert spans(talks(text), grid(2)) == [pytest.approx(span) for span in expected]


def test_pauses_below_the_bridge_are_in_the_span():
    assert spans(talks("x.x..x.."), grid(2), bridge_s=0.015) == [
        pytest.approx((0.01, 0.04)),
        pytest.approx((0.06, 0.07)),
    ]


def test_a_pause_in_which_another_talks_is_not_bridged():
    found = spans(talks("x.x.x..."), grid(2), bridge_s=0.015, others=talks("...x...."))
    assert found == [pytest.approx((0.01, 0.04)), pytest.approx((0.05, 0.06))]
