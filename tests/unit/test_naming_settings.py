"""The settings of speaker naming."""

import pytest

from common.errors import ConfigurationError
from common.settings import NamingSettings, load_settings

OLLAMA = {"SPEAKER_NAMING_URL": "http://localhost:11434/v1/", "SPEAKER_NAMING_MODEL": "llama3.2"}


@pytest.mark.parametrize("env", [{}, {"SPEAKER_NAMING_MODEL": "llama3.2"}, {"PARLEY_PROFILE": "laptop"}])
def test_naming_is_off_without_a_url(env):
    naming = load_settings(env).naming
    assert (naming.url, naming.api_key, naming.timeout_s) == ("", "", 60.0)


def test_all_of_it_is_read():
    env = OLLAMA | {"SPEAKER_NAMING_API_KEY": " sk-1\n", "SPEAKER_NAMING_TIMEOUT": "12.5"}
    assert load_settings(env).naming == NamingSettings(
        url="http://localhost:11434/v1", model="llama3.2", api_key="sk-1", timeout_s=12.5
    )


def test_a_url_needs_a_model():
    with pytest.raises(ConfigurationError, match="SPEAKER_NAMING_MODEL") as caught:
        load_settings({"SPEAKER_NAMING_URL": "https://api.openai.com/v1"})
    assert caught.value.param == "SPEAKER_NAMING_MODEL"


@pytest.mark.parametrize(
    "url",
    [
        "localhost:11434/v1",
        "ftp://localhost/v1",
        "http://",
        "http://:80/v1",
        "http://[::1/v1",
        "http://localhost:port/v1",
        "http://user:secret@localhost/v1",
        "http://localhost/v1?key=secret",
        "http://localhost/v1#secret",
    ],
)
def test_a_url_that_paths_cannot_be_added_to_is_refused_and_not_told(url):
    with pytest.raises(ConfigurationError, match=r"^SPEAKER_NAMING_URL is not valid: expected a") as caught:
        load_settings(OLLAMA | {"SPEAKER_NAMING_URL": url})
    assert "localhost" not in caught.value.message
    assert "secret" not in caught.value.message


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("SPEAKER_NAMING_TIMEOUT", "0"),
        ("SPEAKER_NAMING_TIMEOUT", "soon"),
        ("SPEAKER_NAMING_API_KEY", "sk-1\r\nHost: other"),
        ("SPEAKER_NAMING_API_KEY", "schlüssel"),
    ],
)
def test_a_wrong_value_of_naming_names_its_variable(name, text):
    with pytest.raises(ConfigurationError, match=f"^{name} is not valid"):
        load_settings(OLLAMA | {name: text})


def test_the_key_is_not_shown():
    assert "sk-1" not in repr(load_settings(OLLAMA | {"SPEAKER_NAMING_API_KEY": "sk-1"}))
