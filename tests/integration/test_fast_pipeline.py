"""Parley's run of pyannote's pipelines against pyannote's own, on real speech."""

import dataclasses
import json
from functools import cache

import numpy as np
import pytest

from common.errors import JobCancelledError
from common.settings import load_settings
from handlers.diarization.engine import SpeakerCount
from handlers.diarization.pyannote_engine import find_engine
from tests.support.hub_cache import lay_out
from tests.support.pyannote_repos import COMMUNITY_1, EMBEDDING, PIPELINE_31, SEGMENTATION, repos
from tests.support.pyannote_sample import sample_audio

pytestmark = pytest.mark.model

RATE = 16_000


@pytest.fixture(scope="module")
def load(tmp_path_factory):
    store = tmp_path_factory.mktemp("store")
    for repo_id in (PIPELINE_31, SEGMENTATION, EMBEDDING, COMMUNITY_1):
        lay_out(store, repo_id, repos()[repo_id])

    @cache
    def load(model, pipeline="fast", hop="1"):
        return find_engine(
            load_settings(
                {
                    "DIARIZATION_MODEL": model,
                    "MODEL_STORE": str(store),
                    "DIARIZATION_DEVICE": "cpu",
                    "DIARIZATION_PIPELINE": pipeline,
                    "DIARIZATION_HOP_SECONDS": hop,
                }
            ).diarization
        )()

    return load


def ignore(stage, fraction):
    pass


def found(engine, samples, count=SpeakerCount()):  # noqa: B008 - frozen
    return engine.diarize(samples, count=count, tick=ignore)


def rounded(turns):
    return [(round(turn.start, 5), round(turn.end, 5), turn.speaker) for turn in turns]


def assert_same(ours, theirs, *, within=1e-4):
    assert rounded(ours.turns) == rounded(theirs.turns)
    assert rounded(ours.exclusive) == rounded(theirs.exclusive)
    assert ours.embeddings.keys() == theirs.embeddings.keys()
    for label, vector in ours.embeddings.items():
        assert vector == pytest.approx(theirs.embeddings[label], abs=within)


def excerpt(first_s, last_s):
    return sample_audio()[round(first_s * RATE) : round(last_s * RATE)]


@pytest.mark.parametrize("span", [(0, 30), (5.3, 17.0), (12, 22)])
def test_the_bundled_pipeline_finds_what_pyannotes_own_run_finds(load, span):
    stock, fast = load("bundled", "stock"), load("bundled")
    # in the whole sample, one frame of one window is a tie of two classes
    assert_same(found(fast, excerpt(*span)), found(stock, excerpt(*span)), within=0.02 if span == (0, 30) else 1e-4)


@pytest.mark.parametrize(
    ("model", "count"), [(PIPELINE_31, SpeakerCount(exact=1)), (COMMUNITY_1, SpeakerCount(at_least=3))]
)
def test_pyannotes_pipelines_find_what_their_own_run_finds(load, model, count):
    stock, fast = load(model, "stock"), load(model)
    samples = excerpt(4, 16)
    assert_same(found(fast, samples, count), found(stock, samples, count))


def test_nobody_is_made_up_whom_no_window_hears(load):
    """With one speaker for all, pyannote makes up a second one where the windows hear two people."""
    stock, fast = load(PIPELINE_31, "stock"), load(PIPELINE_31)
    samples = excerpt(4, 16)
    theirs, ours = found(stock, samples), found(fast, samples)
    assert {turn.speaker for turn in theirs.turns} - set(theirs.embeddings) == {"SPEAKER_01"}
    assert rounded(ours.turns) == [turn for turn in rounded(theirs.turns) if turn[2] in theirs.embeddings]
    assert {turn.speaker for turn in ours.turns} == set(ours.embeddings)


def test_ten_runs_give_the_same_bytes(load):
    def as_json():
        return json.dumps(dataclasses.asdict(found(load("bundled"), excerpt(6, 16))))

    assert len({as_json() for _ in range(10)}) == 1


def test_windows_further_apart_cost_less_and_find_the_same_people(load):
    ticks = {}
    for hop in ("1", "2.5"):
        ticks[hop] = []
        result = load("bundled", hop=hop).diarize(
            sample_audio(), count=SpeakerCount(), tick=lambda stage, _, hop=hop: ticks[hop].append(stage)
        )
        assert {turn.speaker for turn in result.turns} == {"SPEAKER_00", "SPEAKER_01"}
    assert ticks["2.5"].count("embeddings") < ticks["1"].count("embeddings")


def test_a_telephone_line_is_no_third_person(load):
    """8 kHz: what lies above 4 kHz is gone."""
    spectrum = np.fft.rfft(sample_audio())
    spectrum[len(spectrum) // 2 :] = 0
    telephone = np.fft.irfft(spectrum, len(sample_audio())).astype(np.float32)
    result = found(load("bundled"), telephone)
    assert {turn.speaker for turn in result.turns} == {"SPEAKER_00", "SPEAKER_01"}


def test_music_is_nobody(load):
    time_s = np.arange(12 * RATE) / RATE
    chord = sum(np.sin(2 * np.pi * pitch * time_s) for pitch in (220.0, 277.2, 329.6)) / 6
    assert found(load("bundled"), (chord * (1 + np.sin(2 * np.pi * 2 * time_s)) / 2).astype(np.float32)).turns == ()


def test_more_speakers_than_there_are_voices_to_tell_apart_are_not_found(load):
    """pyannote fails here: it makes clusters of fewer embeddings than that."""
    assert len(found(load(COMMUNITY_1), excerpt(6, 16), SpeakerCount(exact=5)).embeddings) <= 2


@pytest.mark.parametrize("stage", ["segmentation", "embeddings", "clustering"])
def test_a_job_can_be_stopped_in_each_step(load, stage):
    def stop(at, fraction):
        if at == stage:
            raise JobCancelledError("stopped")

    engine = load("bundled")
    before = found(engine, excerpt(12, 22))
    with pytest.raises(JobCancelledError):
        engine.diarize(excerpt(0, 12), count=SpeakerCount(), tick=stop)
    assert found(engine, excerpt(12, 22)) == before


def test_a_gpu_whose_memory_is_too_small_gets_fewer_at_once(load, monkeypatch):
    engine = load("bundled")
    whole, embed, segment, sizes = found(engine, excerpt(0, 20)), engine._fast._embed, engine._fast._segment, []

    def refuse(size):
        sizes.append(size)
        if size > 2:
            raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")

    class Small:
        window, count = segment.window, segment.count

        def __call__(self, samples, *, first, last):
            refuse(last - first)
            return segment(samples, first=first, last=last)

    def small(windows, wanted):
        refuse(len(wanted))
        return embed(windows, wanted)

    monkeypatch.setattr(engine._fast, "_embed", small)
    monkeypatch.setattr(engine._fast, "_segment", Small())
    assert rounded(found(engine, excerpt(0, 20)).turns) == rounded(whole.turns)
    assert max(sizes) > 2
