"""The bundled diarization models on real speech."""

import time
from pathlib import Path

import numpy as np
import pytest
from pyannote.core import Annotation, Segment
from pyannote.metrics.diarization import DiarizationErrorRate

from common.errors import JobCancelledError
from common.settings import DiarizationSettings
from handlers.diarization.engine import Diarization, SpeakerCount
from handlers.diarization.pyannote_engine import find_engine
from tests.support.pyannote_sample import DURATION_S, reference_turns, sample_audio

pytestmark = pytest.mark.model

NOTHING = Diarization(turns=(), exclusive=(), embeddings={})


@pytest.fixture(scope="module")
def engine():
    return find_engine(DiarizationSettings(model="bundled", device="auto", token="", model_store=Path("/nowhere")))()


@pytest.fixture(scope="module")
def ticks():
    return []


@pytest.fixture(scope="module")
def sample(engine, ticks):
    """What the engine finds in the sample; `ticks` gets the time, stage and fraction of every tick."""
    return engine.diarize(
        sample_audio(),
        count=SpeakerCount(),
        tick=lambda stage, fraction: ticks.append((time.monotonic(), stage, fraction)),
    )


def no_tick(stage, fraction):
    pass


def error_rate(turns):
    reference, hypothesis = Annotation(), Annotation()
    for number, (start, end, speaker) in enumerate(reference_turns()):
        reference[Segment(start, end), number] = speaker
    for number, turn in enumerate(turns):
        hypothesis[Segment(turn.start, turn.end), number] = turn.speaker
    return DiarizationErrorRate()(reference, hypothesis, uem=Segment(0, DURATION_S))


def test_two_speakers_are_told_apart_with_few_errors(sample):
    assert error_rate(sample.turns) <= 0.08
    assert {turn.speaker for turn in sample.turns} == {"SPEAKER_00", "SPEAKER_01"}


def test_speakers_are_numbered_as_they_appear_and_turns_are_in_order(sample):
    assert sample.turns[0].speaker == "SPEAKER_00"
    assert list(sample.turns) == sorted(sample.turns)
    assert all(0 <= turn.start < turn.end <= DURATION_S for turn in (*sample.turns, *sample.exclusive))


def test_exclusive_turns_never_overlap(sample):
    ends = [turn.end for turn in sample.exclusive]
    assert all(later.start >= end - 1e-6 for end, later in zip(ends, sample.exclusive[1:], strict=False))
    assert error_rate(sample.exclusive) <= 0.12


def test_embeddings_of_one_speaker_are_not_those_of_the_other(sample):
    first, second = (np.array(sample.embeddings[f"SPEAKER_0{number}"]) for number in range(2))
    assert first.shape == second.shape == (192,)
    assert first @ second / np.linalg.norm(first) / np.linalg.norm(second) < 0.75


def test_the_stop_signal_is_asked_for_often(sample, ticks):
    assert max(np.diff([at for at, _, _ in ticks])) < 2.5


def test_progress_is_that_of_the_whole_and_complete_only_at_the_end(sample, ticks):
    fractions = [fraction for _, _, fraction in ticks]
    assert fractions == sorted(fractions)
    assert fractions[0] == 0.0
    assert [fraction for fraction in fractions if fraction == 1.0] == fractions[-1:]
    last = {stage: fraction for _, stage, fraction in ticks}
    assert (last["segmentation"], last["embeddings"], last["discrete_diarization"]) == (0.35, 0.97, 1.0)


def test_a_stopped_job_ends_and_the_next_one_gives_the_same_as_before(engine, sample):
    def stop(stage, fraction):
        if stage == "embeddings":
            raise JobCancelledError("stopped")

    with pytest.raises(JobCancelledError):
        engine.diarize(sample_audio(), count=SpeakerCount(), tick=stop)
    assert engine.diarize(sample_audio(), count=SpeakerCount(), tick=no_tick) == sample


@pytest.mark.parametrize(
    ("count", "expected"), [(SpeakerCount(exact=1), 1), (SpeakerCount(exact=3), 3), (SpeakerCount(at_most=1), 1)]
)
def test_the_number_of_speakers_asked_for_is_found(engine, count, expected):
    found = engine.diarize(sample_audio()[: 20 * 16_000], count=count, tick=no_tick)
    assert len({turn.speaker for turn in found.turns}) == expected


@pytest.mark.parametrize("seconds", [0, 0.0001, 0.3, 1, 12])
def test_silence_has_no_speakers(engine, seconds):
    silence = np.zeros(round(seconds * 16_000), np.float32)
    assert engine.diarize(silence, count=SpeakerCount(exact=2), tick=no_tick) == NOTHING


def test_three_tenths_of_a_second_of_speech_is_one_turn_inside_the_audio(engine):
    speech = sample_audio()[int(8.5 * 16_000) : int(8.8 * 16_000)]
    found = engine.diarize(speech, count=SpeakerCount(), tick=no_tick)
    assert [turn.speaker for turn in found.turns] == ["SPEAKER_00"]
    assert found.turns[0].end <= 0.3
