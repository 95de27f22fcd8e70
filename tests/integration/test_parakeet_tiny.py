"""The NeMo engine with a tiny Parakeet that was trained for these tests, on a clip whose truth is known."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from meeteval.wer import siso_word_error_rate

from common.errors import JobCancelledError
from common.settings import load_settings
from handlers.transcription.engine import DecodingOptions
from handlers.transcription.parakeet import find_engine
from tests.support.pyannote_sample import normalised

pytestmark = pytest.mark.model

FIXTURE = Path(__file__).parent.parent / "fixtures" / "tiny_parakeet"


@pytest.fixture(scope="module")
def engine():
    settings = load_settings({"MODEL_ID": str(FIXTURE / "tiny-parakeet-tdt.nemo"), "TRANSCRIPTION_DEVICE": "cpu"})
    return find_engine(settings.transcription)()


@pytest.fixture(scope="module")
def clip():
    samples, rate = soundfile.read(FIXTURE / "clip.flac", dtype="float32")
    assert rate == 16_000
    return samples


@pytest.fixture(scope="module")
def truth():
    return [word for word in json.loads((FIXTURE / "clip.json").read_text())["words"] if word["word"] != "."]


def heard(engine, samples, *, chunk_duration_s=None, tick=lambda stage, fraction: None):
    return engine.transcribe(samples, options=DecodingOptions(chunk_duration_s=chunk_duration_s), tick=tick)


def word_error_rate(words, truth):
    reference = " ".join(word["word"] for word in truth)
    return siso_word_error_rate(normalised(reference), normalised(" ".join(word.text for word in words))).error_rate


def test_the_engine_names_its_model(engine):
    assert (engine.model, engine.device, engine.warnings) == ("tiny-parakeet-tdt", "cpu", ())


def test_the_words_are_right_and_where_they_are_spoken(engine, clip, truth):
    found = heard(engine, clip)
    assert word_error_rate(found.words, truth) <= 0.10
    assert found.language == "und"
    errors = [
        max(abs(word.start - expected["start"]), abs(word.end - expected["end"]))
        for word, expected in zip(found.words, truth, strict=False)
        if normalised(word.text) == normalised(expected["word"])
    ]
    assert len(errors) > 0.5 * len(truth)
    assert np.median(errors) < 0.1


def test_a_sentence_keeps_its_full_stop(engine, clip, truth):
    assert [word.text for word in heard(engine, clip).words if word.text.endswith(".")]


def test_short_windows_hear_the_same_words_at_the_same_times(engine, clip, truth):
    found = heard(engine, clip, chunk_duration_s=6.0)
    assert word_error_rate(found.words, truth) <= 0.15
    starts = [word.start for word in found.words]
    assert starts == sorted(starts)
    assert abs(found.words[-1].start - truth[-1]["start"]) < 0.2


@pytest.mark.parametrize("seconds", [0, 0.0001, 0.3, 1, 5])
def test_silence_of_any_length_does_not_crash(engine, seconds):
    words = heard(engine, np.zeros(round(seconds * 16_000), np.float32)).words
    assert all(0 <= word.start <= word.end <= seconds for word in words)


def test_less_than_a_second_is_heard_at_its_own_times(engine, clip, truth):
    first = truth[0]
    end_s = min(first["end"] + 0.1, 0.95)
    words = heard(engine, clip[: int(end_s * 16_000)]).words
    assert words
    assert abs(words[0].start - first["start"]) < 0.15
    assert all(word.end <= end_s for word in words)


def test_a_stopped_job_ends_and_the_next_one_is_heard_in_full(engine, clip):
    before = heard(engine, clip)
    ticks = []

    def stop(stage, fraction):
        ticks.append(fraction)
        if len(ticks) == 3:
            raise JobCancelledError("stopped")

    with pytest.raises(JobCancelledError):
        heard(engine, clip, tick=stop)
    assert len(ticks) == 3
    assert heard(engine, clip) == before
