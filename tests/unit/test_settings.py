from pathlib import Path

import pytest

from common.errors import ConfigurationError
from common.settings import VARIABLES, load_settings


def test_the_images_defaults_are_the_full_models():
    settings = load_settings({})
    assert settings.diarization.model == "pyannote/speaker-diarization-3.1"
    assert (settings.transcription.engine, settings.transcription.model_id) == (
        "parakeet",
        "nvidia/parakeet-tdt-0.6b-v2",
    )
    assert settings.transcription.chunk_duration_s == 20
    assert (settings.transcription.precision, settings.transcription.on_window_failure) == ("auto", "fail")
    assert not settings.limits.allow_private_addresses


def test_the_laptop_profile_is_bundled_and_explicit():
    settings = load_settings({"PARLEY_PROFILE": "laptop"})
    assert settings.diarization.model == "bundled"
    assert (settings.transcription.engine, settings.transcription.whisper_model_size) == ("whisper", "bundled")
    assert settings.limits.allow_private_addresses


def test_what_is_set_beats_the_profile():
    env = {"PARLEY_PROFILE": "laptop", "DIARIZATION_MODEL": "/models/mine", "ALLOW_PRIVATE_ADDRESSES": "no"}
    settings = load_settings(env)
    assert settings.diarization.model == "/models/mine"
    assert not settings.limits.allow_private_addresses


@pytest.mark.parametrize("name", ["HUGGINGFACE_ACCESS_TOKEN", "HF_TOKEN"])
def test_the_token_has_two_names(name):
    assert load_settings({name: "hf_secret"}).diarization.token == "hf_secret"


def test_paths_and_numbers_are_read():
    settings = load_settings({"MODEL_STORE": "/store", "MAX_AUDIO_BYTES": "1000", "RUNPOD_BASE_URL": "http://x/v2/"})
    assert settings.diarization.model_store == Path("/store")
    assert settings.limits.max_download_bytes == 1000
    assert settings.endpoints.base_url == "http://x/v2"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("PARLEY_PROFILE", "desktop"),
        ("CHUNK_DURATION", "long"),
        ("CHUNK_DURATION", "-1"),
        ("CHUNK_DURATION", "inf"),
        ("CHUNK_DURATION", "nan"),
        ("CHUNK_DURATION", "4.99"),
        ("TRANSCRIPTION_PRECISION", "int8"),
        ("ON_WINDOW_FAILURE", "ignore"),
        ("MAX_AUDIO_BYTES", "nan"),
        ("ALLOW_PRIVATE_ADDRESSES", "maybe"),
        ("ORCHESTRATOR_CONCURRENCY", "0.5"),
        ("ORCHESTRATOR_CONCURRENCY", "0"),
        ("RUNPOD_BASE_URL", "api.runpod.ai"),
        ("TRANSCRIPTION_ENGINE", "kaldi"),
        ("WHISPER_DEVICE", "tpu"),
    ],
)
def test_a_wrong_value_names_its_variable(name, text):
    with pytest.raises(ConfigurationError, match=f"^{name} is not valid"):
        load_settings({name: text})


def test_a_chunk_is_five_seconds_at_least_and_says_so():
    assert load_settings({"CHUNK_DURATION": "5"}).transcription.chunk_duration_s == 5.0
    with pytest.raises(ConfigurationError, match=r"^CHUNK_DURATION is not valid: expected 5 or more$") as caught:
        load_settings({"CHUNK_DURATION": "1"})
    assert caught.value.param == "CHUNK_DURATION"


@pytest.mark.parametrize("precision", ["auto", "float32", "bfloat16", "float16"])
@pytest.mark.parametrize("on_failure", ["fail", "partial"])
def test_precision_and_what_to_do_with_failed_windows_are_read(precision, on_failure):
    settings = load_settings({"TRANSCRIPTION_PRECISION": precision, "ON_WINDOW_FAILURE": on_failure}).transcription
    assert (settings.precision, settings.on_window_failure) == (precision, on_failure)


def test_every_variable_says_what_it_means_once():
    names = [name for variable in VARIABLES for name in (variable.name, *variable.aliases)]
    assert len(names) == len(set(names))
    assert all(variable.meaning for variable in VARIABLES)
