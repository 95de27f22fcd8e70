import numpy as np
import pytest

from common.loudness import FRAME_SAMPLES, QUIETEST_DB, frame_levels, smoothed
from tests.support.audio_jobs import tone


def frames(*amplitudes):
    return np.repeat(np.array(amplitudes, np.float32), FRAME_SAMPLES)


def test_levels_are_decibels_below_full_scale_in_frames_of_20_ms():
    assert frame_levels(frames(1.0, 0.1, -0.01)) == pytest.approx([0.0, -20.0, -40.0], abs=1e-4)


def test_a_sine_is_three_decibels_below_its_peak():
    levels = frame_levels(tone(1.0))
    assert len(levels) == 50
    assert levels.mean() == pytest.approx(-23.01, abs=0.1)


def test_silence_is_as_quiet_as_it_gets_and_still_a_number():
    assert frame_levels(frames(0.0, 1e-9)) == pytest.approx([QUIETEST_DB] * 2)
    assert smoothed(frame_levels(frames(*[0.0] * 40))) == pytest.approx([QUIETEST_DB] * 40)


@pytest.mark.parametrize(("samples", "count"), [(0, 0), (1, 0), (319, 0), (320, 1), (639, 1), (640, 2)])
def test_a_rest_shorter_than_a_frame_is_left_out(samples, count):
    levels = frame_levels(np.ones(samples, np.float32))
    assert len(levels) == len(smoothed(levels)) == count


def test_smoothing_spreads_the_power_over_0_3_s_around():
    levels = np.full(41, QUIETEST_DB, np.float32)
    levels[20] = 0.0
    found = smoothed(levels)
    assert found[13:28] == pytest.approx([-11.76] * 15, abs=0.01)  # a fifteenth of the power
    assert found[:13] == pytest.approx([QUIETEST_DB] * 13, abs=1.0)
    assert found[28:] == pytest.approx([QUIETEST_DB] * 13, abs=1.0)


def test_smoothing_takes_the_audio_to_go_on_at_its_ends():
    assert smoothed(np.full(5, -30.0, np.float32)) == pytest.approx([-30.0] * 5)
    rising = smoothed(np.array([-20.0] * 10 + [-60.0] * 10, np.float32))
    assert (rising[0], rising[-1]) == pytest.approx((-20.0, -60.0), abs=0.01)
    assert (np.diff(rising) <= 1e-4).all()


def test_a_quiet_hour_after_a_loud_one_is_not_lost_in_rounding():
    levels = np.repeat(np.array([0.0, -70.0], np.float32), 3600 * 50)
    assert smoothed(levels)[-1000:] == pytest.approx([-70.0] * 1000, abs=0.1)
