"""The bundled Whisper model on real speech."""

import time

import ctranslate2
import numpy as np
import pytest
from meeteval.wer import siso_word_error_rate

from common.coverage import Coverage
from common.errors import ConfigurationError, InvalidInputError, JobCancelledError
from common.settings import load_settings
from handlers.transcription.engine import DecodingOptions
from handlers.transcription.whisper import find_engine
from tests.support.pyannote_sample import DURATION_S, normalised, reference_text, sample_audio

pytestmark = pytest.mark.model


def settings(**variables):
    return load_settings({"PARLEY_PROFILE": "laptop", "WHISPER_COMPUTE_TYPE": "int8", **variables}).transcription


@pytest.fixture(scope="module")
def engine():
    return find_engine(settings())()


def heard(engine, samples, *, tick=lambda stage, fraction: None, **options):
    return engine.transcribe(samples, options=DecodingOptions(**options), tick=tick)


def test_the_words_are_right_and_in_order(engine):
    ticks = []
    found = heard(engine, sample_audio(), tick=lambda stage, fraction: ticks.append(fraction))
    text = normalised(" ".join(word.text for word in found.words))
    assert siso_word_error_rate(reference_text(), text).error_rate <= 0.25
    assert found.language == "en"
    starts = [word.start for word in found.words]
    assert starts == sorted(starts)
    assert all(word.start <= word.end <= DURATION_S for word in found.words)
    assert all(
        0 < word.confidence <= 1 and word.space_before and word.text == word.text.strip() for word in found.words
    )
    assert ticks == sorted(ticks)
    assert len(ticks) > 3
    assert 18.0 < found.coverage.speech_s < 28.0
    assert found.coverage.failed == ()
    assert sum(end - start for start, end in found.coverage.empty) < 2.0


def test_words_are_where_they_are_spoken(engine):
    found = heard(engine, sample_audio())
    (diane,) = [word for word in found.words if word.text.startswith("Diane")]
    assert 12.5 < diane.start < diane.end < 14.2


def test_hotwords_are_taken_and_do_not_move_the_words(engine):
    found = heard(engine, sample_audio()[11 * 16_000 : 16 * 16_000], hotwords=("Diane", "Chicago"))
    (diane,) = [word for word in found.words if word.text.startswith("Diane")]
    assert 1.5 < diane.start < diane.end < 3.2


def test_a_short_chunk_duration_still_hears_the_speech(engine):
    ticks = []
    found = heard(
        engine, sample_audio(), chunk_duration_s=10.0, tick=lambda stage, fraction: ticks.append(round(fraction, 3))
    )
    text = normalised(" ".join(word.text for word in found.words))
    assert siso_word_error_rate(reference_text(), text).error_rate <= 0.35
    assert len(set(ticks)) >= 4  # at least three windows and the end


def test_a_chunk_duration_is_forgotten_with_its_job(engine):
    before = heard(engine, sample_audio())
    heard(engine, sample_audio(), chunk_duration_s=5.0)
    assert heard(engine, sample_audio()) == before


def test_long_audio_is_heard_as_well_as_short_and_asks_for_the_stop_signal_often(engine):
    repeats, times = 6, [time.monotonic()]
    found = heard(engine, np.tile(sample_audio(), repeats), tick=lambda *_: times.append(time.monotonic()))
    text = normalised(" ".join(word.text for word in found.words))
    assert siso_word_error_rate(" ".join([reference_text()] * repeats), text).error_rate <= 0.25
    assert text.count("originally from chicago") == 2 * repeats  # said, and asked
    diane = [word.start for word in found.words if word.text.startswith("Diane")]
    assert np.allclose(diane, 13.0 + DURATION_S * np.arange(repeats), atol=1.0)
    starts = [word.start for word in found.words]
    assert starts == sorted(starts)
    assert max(np.diff(times)) < 2.0


@pytest.mark.parametrize("seconds", [0, 0.0001, 0.3, 5, 40])
def test_silence_and_noise_have_no_words(engine, seconds):
    length = round(seconds * 16_000)
    noise = 0.002 * np.random.default_rng(0).standard_normal(length).astype(np.float32)
    for samples in (np.zeros(length, np.float32), noise):
        found = heard(engine, samples)
        assert (found.words, found.coverage) == ((), Coverage(speech_s=0.0))


def test_a_language_the_model_does_not_speak_is_named(engine):
    with pytest.raises(InvalidInputError, match="speaks only English: language 'de'") as caught:
        heard(engine, sample_audio(), language="de")
    assert caught.value.param == "language"


def test_a_region_of_a_language_it_speaks_is_fine(engine):
    assert heard(engine, np.zeros(16_000, np.float32), language="en-GB").language == "en"


def test_a_stopped_job_ends_inside_a_window_and_the_next_one_is_heard_in_full(engine):
    before, ticks = heard(engine, sample_audio()), []

    def stop(stage, fraction):
        ticks.append(fraction)
        if len(ticks) == 3:
            raise JobCancelledError("stopped")

    with pytest.raises(JobCancelledError):
        heard(engine, sample_audio(), tick=stop)
    assert ticks == [0.0] * 3
    assert heard(engine, sample_audio()) == before


def test_an_explicit_gpu_that_is_not_there_falls_back_with_a_warning():
    if ctranslate2.get_cuda_device_count():
        pytest.skip("this machine has a GPU")
    fallen = find_engine(settings(WHISPER_DEVICE="cuda", WHISPER_COMPUTE_TYPE="float16"))()
    assert fallen.device == "cpu"
    assert fallen.warnings[0].startswith("the device cuda failed, so the model runs on the CPU: ")


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"WHISPER_MODEL_SIZE": "huge"}, "'huge' is none of bundled, tiny.en, tiny"),
        ({"WHISPER_COMPUTE_TYPE": "int3"}, "Invalid compute type: int3"),
        ({"WHISPER_MODEL_SIZE": "a/b/c"}, "neither a model on this machine nor a hub id"),
    ],
)
def test_mistakes_in_the_settings_say_what_to_do(variables, message):
    with pytest.raises(ConfigurationError, match=message):
        find_engine(settings(**variables))()


def test_a_folder_without_a_model_is_a_mistake_in_the_settings(tmp_path):
    with pytest.raises(ConfigurationError, match=r"the model cannot be loaded: Unable to open file 'model\.bin'"):
        find_engine(settings(WHISPER_MODEL_SIZE=str(tmp_path)))()
