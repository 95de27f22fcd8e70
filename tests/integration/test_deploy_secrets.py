"""No secret of the account is printed: not in a plan, not in an error of RunPod's API that repeats a request."""

from collections import deque

import pytest

from orchestrator.deploy.hiding import Hidden
from tests.support.deploy_calls import deploy, settings_file
from tests.support.fake_runpod_api import KEY, fake_runpod

OLD = {
    "THEIR_TOKEN": "OLDSECRET123",
    "DATABASE_URL": "postgres://u:OLDPW@h/db",
    "PROXY_AUTH": "OLD  AUTH",
    "SPEAKER_NAMING_KEY": "sk-OLD",
    "HF_PASS": "OLDPASS",
    "S3_ACCESS_KEY_ID": "AKIAOLD",
    "SPEAKER_NAMING_URL": "https://u:OLDURL@x",
    "S3_ENDPOINT_URL": "https://s3/?sig=OLDSIG",
    "MODEL_ID": "hf_OLDMODEL",
}


@pytest.fixture(autouse=True)
def shell(monkeypatch):
    monkeypatch.setenv("RUNPOD_API_KEY", KEY)
    monkeypatch.setenv("HUGGINGFACE_ACCESS_TOKEN", "hf_SECRETTOKEN")
    monkeypatch.setenv("OTHER", "https://new.example")


async def test_an_error_that_repeats_the_variables_of_an_endpoint_shows_none_of_them(tmp_path):
    async with fake_runpod() as fake:
        path = settings_file(tmp_path, fake)
        await deploy(path)
        fake.there("parley-diarization")["env"].update(OLD)
        fake.faults = {"PATCH": deque([422])}
        path.write_text(path.read_text().replace('LOG_FORMAT = "json"', 'LOG_FORMAT = "text"', 1))
        ran = await deploy(path)
        assert "out of order for {'DIARIZATION_MODEL': 'pyannote/speaker-diarization-community-1'" in ran.error.message
        assert "'LOG_FORMAT': 'text'" in ran.error.message
        printed = ran.out + ran.err + ran.error.message
        assert "OLD" not in printed
        assert "SECRETTOKEN" not in printed


async def test_a_plan_shows_old_values_of_our_settings_only_and_no_secret(tmp_path):
    async with fake_runpod() as fake:
        path = settings_file(tmp_path, fake)
        await deploy(path)
        fake.there("parley-diarization")["env"].update(OLD)
        lines = "\n".join(f'{name} = "$OTHER"' for name in OLD if name not in ("HF_PASS", "MODEL_ID"))
        plain = 'METRICS_PORT = 9101\nMODEL_ID = "a/b"'
        text = path.read_text().replace("[diarization.env]\n", f"[diarization.env]\n{lines}\n{plain}\n", 1)
        path.write_text(text.replace('LOG_FORMAT = "json"', 'LOG_FORMAT = "text"', 1), encoding="utf-8")
        shown = (await deploy(path, "--dry-run")).out
        assert "OLD" not in shown
        rows = {row[0]: row[1].strip() for line in shown.splitlines() if (row := line.strip().partition(" ")[::2])}
        assert rows["env.DATABASE_URL"] == "another value -> $OTHER of this shell"
        assert rows["env.MODEL_ID"] == "another value -> a/b"
        assert rows["env.LOG_FORMAT"] == "json -> text"


@pytest.mark.parametrize(
    ("value", "said", "shown"),
    [
        ("a  b\tc", "env a  b\tc refused", "env … refused"),
        ("a  b\tc", "env a b c refused", "env … refused"),
        ('pa"ss\nword', r'{"x": "pa\"ss\nword"}', '{"x": "…"}'),
        ("pässwörd", r"{'x': 'p\u00e4ssw\u00f6rd'}", "{'x': '…'}"),
        ("a/b+c", "url?x=a%2Fb%2Bc", "url?x=…"),
        ("pw", "pw is not apw", "… is not apw"),
    ],
)
def test_a_value_is_hidden_however_it_is_spelt(value, said, shown):
    assert Hidden({value}).masked(said) == shown


def test_the_variables_of_an_endpoint_are_hidden_whatever_form_they_have():
    hidden = Hidden(())
    for env in ([{"key": "A", "value": "first!"}], {"B": {"nested": "second"}, "C": 12345}, "third!", None, 7):
        hidden.add_env(env)
    assert hidden.masked("first! second 12345 third! 0 of 3") == "… … … … 0 of 3"
