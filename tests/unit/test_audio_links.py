import pytest

from common.errors import JobNotFoundError
from orchestrator.server.audio_links import AudioLinks

SECRET = b"s" * 32


def token_of(url):
    return url.rpartition("/")[2]


def test_an_address_stands_for_one_file_at_every_instance_with_the_secret():
    url = AudioLinks(SECRET, base_url="http://server:8080/").url("audio/1-ab")
    assert url.startswith("http://server:8080/internal/audio/")
    assert AudioLinks(SECRET, base_url="").name(token_of(url)) == "audio/1-ab"


@pytest.mark.parametrize("forge", [lambda token: token[:-2] + "AA", lambda token: "", lambda token: "audio/1-ab"])
def test_a_forged_one_stands_for_nothing(forge):
    links = AudioLinks(SECRET, base_url="http://server")
    with pytest.raises(JobNotFoundError):
        links.name(forge(token_of(links.url("audio/1-ab"))))


def test_another_secret_makes_another_address():
    links, others = AudioLinks(SECRET, base_url="http://server"), AudioLinks(b"t" * 32, base_url="http://server")
    with pytest.raises(JobNotFoundError):
        others.name(token_of(links.url("audio/1-ab")))


def test_a_job_that_is_begun_again_asks_for_the_same_address():
    links = AudioLinks(SECRET, base_url="http://server")
    assert links.url("audio/1-ab") == links.url("audio/1-ab") != links.url("audio/2-ab")
