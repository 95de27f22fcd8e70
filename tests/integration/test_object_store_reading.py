import time

import pytest

from common.errors import ConfigurationError, StorageError
from common.object_store import ObjectStore
from tests.support.s3_server import BUCKET, s3_server, storage_settings


@pytest.fixture(scope="module")
def s3():
    with s3_server() as server:
        yield server


@pytest.fixture
def store(s3):
    return ObjectStore(s3.settings)


def test_a_given_key_is_the_key(store, s3, tmp_path):
    (tmp_path / "file").write_bytes(b"of a file")
    assert store.put_file(tmp_path / "file", key="given/file") == "given/file"
    assert store.put_bytes(b"of bytes", key="given/bytes") == "given/bytes"
    assert s3.client.get_object(Bucket=BUCKET, Key="given/file")["Body"].read() == b"of a file"
    assert s3.client.get_object(Bucket=BUCKET, Key="given/bytes")["Body"].read() == b"of bytes"


def test_an_object_is_read_whole_and_in_part(store, tmp_path):
    store.put_bytes(b"0123456789", key="read/it")
    assert store.fetch("read/it", tmp_path / "got")
    assert (tmp_path / "got").read_bytes() == b"0123456789"
    assert store.part("read/it", first=2, last=4) == b"234"
    assert store.part("read/it", first=8, last=99) == b"89"
    assert store.size("read/it") == 10


def test_what_is_not_there_is_nothing(store, tmp_path):
    assert not store.fetch("no/such", tmp_path / "got")
    assert store.part("no/such", first=0, last=1) is None
    assert store.size("no/such") is None
    assert list(store.keys("no/such")) == []


def test_keys_are_listed_by_prefix_with_their_times(store):
    for name in ("list/a", "list/b", "lists/c"):
        store.put_bytes(b"x", key=name)
    found = dict(store.keys("list/"))
    assert sorted(found) == ["list/a", "list/b"]
    assert all(abs(time.time() - written_at) < 600 for written_at in found.values())


def test_a_storage_that_refuses_is_no_missing_object(s3, tmp_path):
    nowhere = ObjectStore(storage_settings(s3.settings.endpoint_url, bucket="no-such-bucket"))
    unreachable = ObjectStore(storage_settings("http://127.0.0.1:9"), connect_timeout_s=0.2, read_timeout_s=0.2)
    for store, error in ((nowhere, ConfigurationError), (unreachable, StorageError)):
        with pytest.raises(error):
            store.fetch("key", tmp_path / "got")
        with pytest.raises(error):
            store.part("key", first=0, last=1)
        with pytest.raises(error):
            list(store.keys("prefix"))
    with pytest.raises(StorageError):
        unreachable.size("key")
    assert not (tmp_path / "got").exists()
