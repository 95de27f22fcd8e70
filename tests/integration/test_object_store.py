import contextlib
import socket
import threading
import time

import pytest

from common.audio.download import download
from common.audio.limits import AudioLimits
from common.errors import AudioUrlError, ConfigurationError, StorageError
from common.object_store import PREFIX, ObjectStore, configured_store
from common.settings import StorageSettings
from tests.support.s3_server import BUCKET, s3_server, storage_settings

LIMITS = AudioLimits(allow_private_addresses=True)
BIG_BYTES = 20 * 1024 * 1024


@pytest.fixture(scope="module")
def s3():
    with s3_server() as server:
        yield server


@pytest.fixture
def store(s3):
    return ObjectStore(s3.settings)


def test_without_a_bucket_there_is_no_store(s3):
    assert configured_store(StorageSettings()) is None
    assert configured_store(s3.settings).put_bytes(b"x").startswith(PREFIX)


async def test_what_was_put_comes_back_from_its_url(s3, store, tmp_path):
    key = store.put_bytes(b"recording")
    assert s3.client.get_object(Bucket=BUCKET, Key=key)["Body"].read() == b"recording"
    await download(store.presigned_url(key, expires_s=60), tmp_path / "got", limits=LIMITS)
    assert (tmp_path / "got").read_bytes() == b"recording"


async def test_what_was_deleted_is_gone(s3, store, tmp_path):
    key = store.put_bytes(b"recording")
    url = store.presigned_url(key, expires_s=60)
    store.delete(key)
    store.delete(key)
    assert key not in s3.stored()
    with pytest.raises(AudioUrlError, match="answered 404"):
        await download(url, tmp_path / "got", limits=LIMITS)


def test_keys_are_long_and_never_the_same(store):
    keys = [store.put_bytes(b"x") for _ in range(3)]
    assert len(set(keys)) == 3
    assert all(key.startswith(PREFIX) and len(key) >= len(PREFIX) + 32 for key in keys)


async def test_a_big_file_goes_in_parts(s3, store, tmp_path):
    content = bytes(range(256)) * (BIG_BYTES // 256)
    (tmp_path / "big").write_bytes(content)
    sent = []
    key = store.put_file(tmp_path / "big", on_bytes=sent.append)
    assert sum(sent) == BIG_BYTES
    assert s3.client.head_object(Bucket=BUCKET, Key=key)["ETag"].endswith('-3"')  # of three parts
    await download(store.presigned_url(key, expires_s=60), tmp_path / "got", limits=LIMITS)
    assert (tmp_path / "got").read_bytes() == content


class Enough(Exception):  # noqa: N818 - no error
    pass


@pytest.mark.parametrize("size_bytes", [1000, BIG_BYTES])
def test_an_upload_that_is_ended_leaves_nothing(s3, store, size_bytes):
    before = s3.stored()

    def end(sent_bytes):
        raise Enough

    with pytest.raises(Enough):
        store.put_bytes(bytes(size_bytes), on_bytes=end)
    assert s3.stored() == before
    assert s3.unfinished_uploads() == []


@pytest.mark.parametrize(("expires_s", "signed_s"), [(90.4, 90), (0, 1), (1e9, 604_800)])
def test_a_url_is_signed_for_as_long_as_asked_and_possible(store, expires_s, signed_s):
    url = store.presigned_url("parley/key", expires_s=expires_s)
    assert f"X-Amz-Expires={signed_s}&" in url
    assert "X-Amz-Algorithm=AWS4-HMAC-SHA256" in url
    assert f"/{BUCKET}/parley/key?" in url


def test_amazons_own_is_reached_by_the_name_of_the_bucket():
    store = ObjectStore(storage_settings("", region="eu-central-1"))
    url = store.presigned_url("parley/key", expires_s=60)
    assert url.startswith(f"https://{BUCKET}.s3.eu-central-1.amazonaws.com/parley/key?")


def test_what_the_environment_says_of_amazon_is_left_aside(monkeypatch, tmp_path, s3):
    monkeypatch.setenv("AWS_PROFILE", "of-another-program")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "another")
    url = ObjectStore(s3.settings).presigned_url("parley/key", expires_s=60)
    assert "X-Amz-Credential=key-id%2F" in url


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"bucket": "no-such-bucket"}, "the storage refused with 404; check S3_ENDPOINT_URL, S3_BUCKET"),
        ({"bucket": "not a bucket"}, "cannot be used as it is set up; check S3_ENDPOINT_URL"),
        ({"endpoint_url": "http://"}, "cannot be used as it is set up"),
    ],
)
def test_wrong_settings_are_named(s3, changed, words):
    store = ObjectStore(storage_settings(**{"url": s3.settings.endpoint_url, **changed}))
    with pytest.raises(ConfigurationError, match=words):
        store.put_bytes(b"x")


def answering(answer):
    """A server that gives every request the same answer, None: none at all."""
    listener = socket.create_server(("127.0.0.1", 0))
    held = []

    def serve():
        with contextlib.suppress(OSError):
            while True:
                connection = listener.accept()[0]
                held.append(connection)
                if answer:
                    connection.recv(65_536)
                    connection.sendall(answer)
                    connection.close()

    threading.Thread(target=serve, daemon=True).start()
    return listener, held


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", ConfigurationError, "refused with 403; check"),
        (b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\n\r\n", StorageError, "answered 503; try again later"),
        (b"no HTTP at all\r\n\r\n", StorageError, "cannot be reached or is too slow"),
        (None, StorageError, "cannot be reached or is too slow; check S3_ENDPOINT_URL or try again"),
    ],
)
def test_a_store_that_refuses_fails_or_is_silent(monkeypatch, answer, kind, words):
    monkeypatch.setattr("common.object_store.ATTEMPTS", 1)
    listener, held = answering(answer)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    store = ObjectStore(storage_settings(url), connect_timeout_s=0.2, read_timeout_s=0.2)
    started = time.monotonic()
    try:
        with pytest.raises(kind, match=words) as caught:
            store.put_bytes(b"recording")
        assert time.monotonic() - started < 5
        assert not any(secret in caught.value.message for secret in ("127.0.0.1", "secret", "key-id", BUCKET))
    finally:
        listener.close()
        for connection in held:
            connection.close()


def test_a_store_that_is_gone_is_said_soon():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    with pytest.raises(StorageError, match="cannot be reached"):
        ObjectStore(storage_settings(url)).delete("parley/key")
