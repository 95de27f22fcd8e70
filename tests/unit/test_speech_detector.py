"""Where speech is: from given probabilities, and by the real detector."""

import json
import threading
from pathlib import Path

import numpy as np
import pytest
import soundfile

from common.coverage import duration_s, without
from handlers.transcription import speech_detector
from handlers.transcription.speech_detector import BLOCK_SAMPLES, FRAME_S, FRAME_SAMPLES, Speech, find_speech

NO_SPEECH = Speech(certain=(), possible=())

FIXTURE = Path(__file__).parent.parent / "fixtures" / "tiny_parakeet"


def found_in(samples):
    return find_speech(samples, threading.Event())


@pytest.fixture
def judged(monkeypatch):
    """Find speech in frames of given probabilities; the value of a sample is that of its frame."""

    def probabilities(samples, first):
        return samples[first : first + BLOCK_SAMPLES : FRAME_SAMPLES]

    monkeypatch.setattr(speech_detector, "_probabilities", probabilities)
    return lambda *runs: found_in(np.repeat(np.concatenate([np.full(n, p, np.float32) for p, n in runs]), 512))


def in_frames(spans):
    return [(round(start / FRAME_S, 3), round(end / FRAME_S, 3)) for start, end in spans]


@pytest.mark.parametrize(
    ("runs", "certain"),
    [
        ([(0.0, 100)], []),
        ([(0.9, 100)], [(0, 100)]),
        ([(0.0, 20), (0.9, 30), (0.0, 50)], [(20, 50)]),
        ([(0.0, 20), (0.4, 10), (0.9, 10), (0.36, 10), (0.34, 50)], [(20, 50)]),  # goes on where it would not begin
        ([(0.0, 20), (0.49, 30), (0.0, 50)], []),  # never certain
        ([(0.0, 20), (0.9, 6), (0.0, 50)], []),  # shorter than any word
        ([(0.0, 20), (0.9, 7), (0.0, 50)], [(20, 27)]),
        ([(0.9, 20), (0.0, 6), (0.9, 20)], [(0, 46)]),  # shorter than any pause
        ([(0.9, 20), (0.0, 7), (0.9, 20)], [(0, 20), (27, 47)]),
        ([(0.9, 4), (0.0, 3), (0.4, 4), (0.0, 20)], [(0, 11)]),  # long enough together
    ],
)
def test_speech_begins_when_it_is_sure_and_ends_when_it_is_doubtful(judged, runs, certain):
    assert in_frames(judged(*runs).certain) == certain


def test_what_just_may_be_speech_is_kept_apart(judged):
    found = judged((0.01, 20), (0.06, 1), (0.01, 20), (0.2, 10), (0.9, 20), (0.2, 5), (0.04, 30))
    assert in_frames(found.possible) == [(20, 21), (41, 76)]
    assert in_frames(found.certain) == [(51, 71)]


def test_speech_ends_with_the_audio_although_its_last_frame_is_filled_up(judged, monkeypatch):
    monkeypatch.setattr(
        speech_detector, "_probabilities", lambda samples, _first: np.full(-(-len(samples) // 512), 0.9)
    )
    found = found_in(np.zeros(16_100, np.float32))
    assert found == Speech(certain=((0.0, 16_100 / 16_000),), possible=((0.0, 16_100 / 16_000),))


def test_blocks_are_put_together_in_order(judged):
    block = BLOCK_SAMPLES // FRAME_SAMPLES
    found = judged((0.0, block - 10), (0.9, 20), (0.0, block), (0.9, 30), (0.0, block // 2))
    assert in_frames(found.certain) == [(block - 10, block + 10), (2 * block + 10, 2 * block + 40)]


def test_no_audio_is_no_speech():
    assert found_in(np.zeros(0, np.float32)) == NO_SPEECH


def test_once_stopped_no_further_block_is_judged(monkeypatch):
    stop, judged = threading.Event(), []

    def probabilities(_samples, first):
        judged.append(first)
        stop.set()
        return np.zeros(BLOCK_SAMPLES // FRAME_SAMPLES, np.float32)

    monkeypatch.setattr(speech_detector, "_probabilities", probabilities)
    monkeypatch.setattr(speech_detector, "MAX_THREADS", 1)
    find_speech(np.broadcast_to(np.float32(0), 50 * BLOCK_SAMPLES), stop)
    assert judged == [0]


def test_a_block_is_judged_with_what_was_heard_before_it(monkeypatch):
    samples, _ = soundfile.read(FIXTURE / "clip.flac", dtype="float32")
    whole = found_in(samples)
    monkeypatch.setattr(speech_detector, "BLOCK_SAMPLES", 160 * FRAME_SAMPLES)
    in_blocks = found_in(samples)
    assert duration_s(without(whole.certain, in_blocks.certain)) < 0.3
    assert duration_s(without(in_blocks.possible, whole.possible)) < 0.3


def test_the_detector_finds_speech_where_it_is():
    samples, _ = soundfile.read(FIXTURE / "clip.flac", dtype="float32")
    truth = json.loads((FIXTURE / "clip.json").read_text())
    turns = [(turn["start"], turn["end"]) for turn in truth["turns"]]
    found = found_in(samples)
    assert all(duration_s(without([turn], found.certain)) < 0.3 for turn in turns)
    assert duration_s(without(turns, found.certain)) < 0.1 * duration_s(turns)
    assert duration_s(without(found.certain, turns)) < 0.15 * duration_s(turns)
    assert duration_s(without(found.certain, found.possible)) < 0.2
    pauses = without([(0.0, truth["duration"])], found.certain)
    assert len([pause for pause in pauses if pause[1] - pause[0] > 0.3]) >= 6


def noise(level):
    return level * np.random.default_rng(0).standard_normal(10 * 16_000 + 7).astype(np.float32)


@pytest.mark.parametrize("level", [0.0, 0.001, 0.01, 0.03, 0.1])
def test_in_silence_and_noise_there_is_no_certain_speech(level):
    assert found_in(noise(level)).certain == ()


@pytest.mark.parametrize("level", [0.0, 0.0001, 0.001])
def test_in_silence_and_faint_noise_there_is_not_even_possible_speech_after_the_first_frame(level):
    assert [one for one in found_in(noise(level)).possible if one != (0.0, FRAME_S)] == []
