import pytest
from yarl import URL

from common.audio.download import next_hop, parse_url
from common.errors import AudioUrlError


@pytest.mark.parametrize(
    "text",
    [
        "http://",
        "http:///path",
        "http://:80/",
        "http://host:99999/",
        "http://host:port/",
        "http://[::1/",
        "http://[zz]/",
        "https:host/path",
        "http://user:secret@host/",
        "http://user@host/",
        "http://host\\@evil/",
        "//host/path",
        "ftp://host/",
    ],
)
def test_urls_that_cannot_be_fetched(text):
    with pytest.raises(AudioUrlError) as caught:
        parse_url(text)
    assert not any(word in caught.value.message for word in ("secret", "evil", "99999"))


@pytest.mark.parametrize(
    ("current", "location", "target"),
    [
        ("http://a/x/y?q=1", "z", "http://a/x/z"),
        ("http://a/x/y", "/z?sig=%2b%2F", "http://a/z?sig=%2b%2F"),
        ("http://a/x", "//b/z", "http://b/z"),
        ("http://a/x", "https://b/z", "https://b/z"),
        ("https://a/x", "https://b:8443/z", "https://b:8443/z"),
        ("https://a/x", "?page=2", "https://a/x?page=2"),
    ],
)
def test_where_redirects_lead(current, location, target):
    assert str(next_hop(URL(current), location)) == target


@pytest.mark.parametrize(
    ("current", "location"),
    [
        ("http://a/x", ""),
        ("http://a/x", "file:///etc/passwd"),
        ("http://a/x", "ftp://b/z"),
        ("http://a/x", "data:audio/wav;base64,AAAA"),
        ("http://a/x", "http://user:secret@b/z"),
        ("https://a/x", "http://a/x"),
        ("https://a/x", "//[::1"),
    ],
)
def test_redirects_that_are_not_followed(current, location):
    with pytest.raises(AudioUrlError):
        next_hop(URL(current), location)
