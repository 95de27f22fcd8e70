"""The settings file of `parley deploy`: what it may say, and what is said of mistakes in it."""

import pytest

from common.errors import ConfigurationError
from orchestrator.deploy.plan import wanted_endpoints
from orchestrator.deploy.settings_file import load_settings_file
from tests.support.deploy_calls import EXAMPLE

GPU = 'gpus = ["ADA_24"]'
ONE = f'endpoints = ["diarization"]\nimages = "ada/parley-{{kind}}"\n[diarization]\n{GPU}\n'
BOTH = ONE.replace('["diarization"]', '["diarization", "transcription"]')


def loaded(tmp_path, text):
    path = tmp_path / "endpoints.toml"
    path.write_text(text, encoding="utf-8")
    return load_settings_file(path)


def test_the_committed_file_is_read_and_asks_for_no_more_workers_than_it_says_the_account_has():
    settings = load_settings_file(EXAMPLE)
    wanted = wanted_endpoints(settings, {})
    assert [one.name for one in wanted] == ["parley-diarization", "parley-transcription", "parley-orchestrator"]
    assert sum(one.fields["max_workers"] for one in wanted) == settings.account_workers == 5


def test_an_image_of_its_own_goes_before_the_common_one(tmp_path):
    settings = loaded(tmp_path, f'{ONE}image = "bob/own:2"')
    assert settings.image("diarization") == "bob/own:2"
    assert loaded(tmp_path, ONE).image("diarization") == "ada/parley-diarization"
    assert loaded(tmp_path, ONE.replace('images = "ada/parley-{kind}"', "")).image("diarization") is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name = [", "not TOML"),
        (f"{ONE}wokers = 3", "diarization.wokers is not known"),
        (f'{ONE}max_workers = "3"', "diarization.max_workers"),
        (f"{ONE}max_workers = -1", "diarization.max_workers"),
        (f"{ONE}min_workers = 3\nmax_workers = 2", "min_workers is above max_workers"),
        (f"{ONE}idle_timeout_s = 3601", "diarization.idle_timeout_s"),
        (f'{ONE}scaler = "request_count"\nidle_timeout_s = 5', "idle_timeout_s needs"),
        (f'{ONE}min_cuda = "12"', "diarization.min_cuda"),
        (f'{ONE}min_cuda = "12.8"\ncuda_versions = ["12.8"]', "either min_cuda or cuda_versions"),
        (f'{ONE}cpus = [{{ id = "cpu3c", vcpus = 2 }}]', "either gpus or cpus"),
        (ONE.replace(GPU, ""), "either gpus or cpus"),
        (ONE.replace(GPU, 'cpus = [{ id = "cpu3c", vcpus = 2 }]\ngpu_count = 1'), "need gpus"),
        (ONE.replace('["diarization"]', '["combined"]'), "no table [combined]"),
        (ONE.replace('["diarization"]', '["diarization", "diarization"]'), "names one twice"),
        (ONE.replace('["diarization"]', '["translation"]'), "endpoints.0"),
        (f'{ONE}name = "par ley; $(id)"', "diarization.name: a name has letters"),
        (f'{ONE}name = "a\\nb"', "diarization.name: give one line"),
        (f'{ONE}name = "ü"', "diarization.name: a name has letters"),
        (f'{ONE}image = "a\\u001b[31m"', "diarization.image: give one line"),
        (ONE.replace(GPU, 'cpus = [{ id = "cpu3c", vcpus = 3 }]'), "cpus.0.vcpus: give a power of two"),
        (f'{BOTH}[transcription]\n{GPU}\nname = "parley-diarization"', "two endpoints are called parley-diarization"),
        (
            f"{BOTH}[transcription]\n{GPU}".replace("parley-{kind}", "parley"),
            "images is the same for diarization, transcription; put {kind} into it",
        ),
        (f'api = "ftp://x"\n{ONE}', "api: expected an http(s) URL"),
        (f'api = "https://me:pw@x"\n{ONE}', "without a user"),
    ],
)  # fmt: skip
def test_a_mistake_is_named(tmp_path, text, said):
    with pytest.raises(ConfigurationError) as caught:
        loaded(tmp_path, text)
    assert said in caught.value.message
    assert str(tmp_path) not in caught.value.message


def test_a_file_that_is_not_there_or_no_text_is_named(tmp_path):
    with pytest.raises(ConfigurationError, match=r"endpoints\.toml: No such file.*--file"):
        load_settings_file(tmp_path / "endpoints.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigurationError, match=r"binary\.toml is not UTF-8"):
        load_settings_file(tmp_path / "binary.toml")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('HF_TOKEN = "hf_abc"', 'HF_TOKEN stands in the settings file.*"\\$HF_TOKEN".*RUNPOD_SECRET_hf_token'),
        ('WEBHOOK_SECRET = "whsec_1"', "WEBHOOK_SECRET stands in"),
        ('S3_SECRET_ACCESS_KEY = "x"', "S3_SECRET_ACCESS_KEY stands in"),
        ('HF_AUTH = "x"', "HF_AUTH stands in"),
        ('DATABASE_PASS = "x"', "DATABASE_PASS stands in"),
        ('SPEAKER_NAMING_KEY = "x"', "SPEAKER_NAMING_KEY stands in"),
        ('MY_CREDENTIALS = "x"', "MY_CREDENTIALS stands in"),
        ('HF_OTHER = "hf_plaintextsecret"', "HF_OTHER stands in"),
        ('OTHER = "rpa_plain1"', "OTHER stands in"),
        ('OTHER = "sk-plain-1"', "OTHER stands in"),
        ('DATABASE_URL = "postgres://u:pw@host"', "DATABASE_URL stands in"),
        ('OTHER = "${MINE}"', 'only "\\$NAME" by itself is one'),
        ('OTHER = "pre$MINE"', 'write OTHER = "\\$THAT_VARIABLE"'),
        ('OTHER = "$$MINE"', 'only "\\$NAME" by itself is one'),
        ('OTHER = "$MINE and more"', 'only "\\$NAME" by itself is one'),
        ('PARLEY_PROFILE = "desktop"', "PARLEY_PROFILE is not valid: expected one of runpod, laptop"),
        ("METRICS_PORT = 70000", "METRICS_PORT is not valid"),
    ],
)
def test_a_worker_that_would_not_start_and_a_secret_in_the_file_are_refused(tmp_path, line, said):
    settings = loaded(tmp_path, f"{ONE}[diarization.env]\n{line}")
    with pytest.raises(ConfigurationError, match=said) as caught:
        wanted_endpoints(settings, {})
    assert "hf_abc" not in caught.value.message


def test_values_become_text_and_references_are_followed(tmp_path):
    text = f"""{ONE}[diarization.env]
ALLOW_PRIVATE_ADDRESSES = true
DIARIZATION_HOP_SECONDS = 1.5
METRICS_PORT = 9100
HF_HUB_DISABLE_IMPLICIT_TOKEN = "1"
PRICE_CURRENCY = "$5"
HF_TOKEN = "$MINE"
S3_SECRET_ACCESS_KEY = "{{{{ RUNPOD_SECRET_s3 }}}}"
WEBHOOK_SECRET = "$NOWHERE"
"""
    (wanted,) = wanted_endpoints(loaded(tmp_path, text), {"MINE": "hf_abc"})
    assert {name: one.value for name, one in wanted.variables.items()} == {
        "ALLOW_PRIVATE_ADDRESSES": "true",
        "DIARIZATION_HOP_SECONDS": "1.5",
        "METRICS_PORT": "9100",
        "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1",
        "PRICE_CURRENCY": "$5",
        "HF_TOKEN": "hf_abc",
        "S3_SECRET_ACCESS_KEY": "{{ RUNPOD_SECRET_s3 }}",
        "WEBHOOK_SECRET": None,
    }
    assert "hf_abc" not in {one.shown for one in wanted.variables.values()}


def test_an_orchestrator_without_what_it_calls_is_refused(tmp_path):
    text = 'endpoints = ["orchestrator"]\nimages = "i"\n[orchestrator]\ncpus = [{ id = "cpu3c", vcpus = 2 }]\n'
    with pytest.raises(ConfigurationError, match="DIARIZATION_ENDPOINT_ID, TRANSCRIPTION_ENDPOINT_ID, RUNPOD_API_KEY"):
        wanted_endpoints(loaded(tmp_path, text), {})
    ids = 'DIARIZATION_ENDPOINT_ID = "a"\nTRANSCRIPTION_ENDPOINT_ID = "b"'
    given = f'{text}[orchestrator.env]\n{ids}\nRUNPOD_API_KEY = "$K"'
    (wanted,) = wanted_endpoints(loaded(tmp_path, given), {})
    assert not wanted.links


@pytest.mark.parametrize(
    ("model", "left_out"),
    [
        ('DIARIZATION_MODEL = "bundled"', ("HUGGINGFACE_ACCESS_TOKEN",)),
        ('PARLEY_PROFILE = "laptop"', ("HUGGINGFACE_ACCESS_TOKEN",)),
        ('DIARIZATION_MODEL = "pyannote/speaker-diarization-community-1"', ()),
        ("", ()),  # the worker's own choice is gated
    ],
)
def test_a_token_that_no_model_needs_may_be_unset(tmp_path, model, left_out):
    text = f'{ONE}[diarization.env]\n{model}\nHUGGINGFACE_ACCESS_TOKEN = "$MINE"'
    (wanted,) = wanted_endpoints(loaded(tmp_path, text), {})
    assert wanted.left_out == left_out
    assert ("HUGGINGFACE_ACCESS_TOKEN" in wanted.variables) == (not left_out)
    (wanted,) = wanted_endpoints(loaded(tmp_path, text), {"MINE": "hf_abc"})
    assert wanted.variables["HUGGINGFACE_ACCESS_TOKEN"].value == "hf_abc"
