"""Recordings and results in a folder, or in S3, spoken by moto."""

import os
import stat
import time
from dataclasses import replace

import pytest

from common.errors import ConfigurationError, StorageError
from common.settings import StorageSettings
from orchestrator.server.store import folder_files
from orchestrator.server.store.files import open_files
from orchestrator.server.store.folder_files import FolderFiles
from orchestrator.server.store.s3_files import S3Files
from tests.support.file_stores import CHECKS, incoming
from tests.support.s3_server import BUCKET, s3_server

HALF_WRITTEN = b"half"


@pytest.fixture(scope="module")
def s3():
    with s3_server() as server:
        yield server


@pytest.fixture(params=["folder", "s3", "s3 with prefix"])
def files(request, tmp_path):
    if request.param == "folder":
        yield open_files(str(tmp_path / "files"), StorageSettings())
        return
    s3 = request.getfixturevalue("s3")
    url = f"s3://{BUCKET}/some/prefix" if "prefix" in request.param else f"s3://{BUCKET}"
    yield open_files(url, replace(s3.settings, bucket=""), incoming=tmp_path / "incoming")
    for key in s3.stored():
        s3.client.delete_object(Bucket=BUCKET, Key=key)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_every_storage(files, check):
    check(files)


def test_s3_has_all_below_the_prefix(s3, tmp_path):
    s3.client.put_object(Bucket=BUCKET, Key="another/audio/a", Body=b"not ours")
    files = open_files(f"s3://{BUCKET}/ours/", s3.settings, incoming=tmp_path)
    files.put_bytes(b"x", "audio/a")
    assert sorted(s3.stored()) == ["another/audio/a", "ours/audio/a"]
    assert list(files.names("audio/")) == ["audio/a"]


def test_s3_is_read_in_parts(s3, tmp_path):
    content = os.urandom(1_500_000)
    files = S3Files(s3.settings, incoming=tmp_path)
    files.put_bytes(content, "audio/big")
    with files.open("audio/big") as file:
        file.seek(1_000_000)
        assert file.read(100) == content[1_000_000:1_000_100]
        file.seek(0)
        assert file.read() == content
    with files.open("audio/big") as file:
        files.delete("audio/big")
        with pytest.raises(Exception, match="erased"):
            file.read(1)
    assert list(tmp_path.iterdir()) == []


def test_old_files_are_listed_by_age(tmp_path):
    files = FolderFiles(tmp_path)
    for name, age_s in (("audio/old", 4000), ("audio/new", 10)):
        files.put_bytes(b"x", name)
        os.utime(tmp_path / name, (time.time() - age_s,) * 2)
    assert list(files.names("audio/", 3600)) == ["audio/old"]


def test_what_arrives_is_there_whole_or_not_at_all(tmp_path, monkeypatch):
    files = FolderFiles(tmp_path)
    files.put_bytes(b"first", "results/r.json")

    def full(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(folder_files.os, "fsync", full)
    path = incoming(files, HALF_WRITTEN)
    for write in (lambda: files.put(path, "results/r.json"), lambda: files.put_bytes(HALF_WRITTEN, "results/s.json")):
        with pytest.raises(StorageError, match="cannot be used: No space left on device"):
            write()
    monkeypatch.undo()
    with files.open("results/r.json") as file:
        assert file.read() == b"first"
    assert list(files.names("results/")) == ["results/r.json"]
    assert list(files.incoming.iterdir()) == [path]


def test_a_file_of_another_disk_is_moved_in_one_step_too(tmp_path, monkeypatch):
    files = FolderFiles(tmp_path / "files")
    path = tmp_path / "upload"
    path.write_bytes(b"recording")
    monkeypatch.setattr(folder_files, "_on_one_disk", lambda *_: False)
    files.put(path, "audio/a")
    assert not path.exists()
    assert list(files.incoming.iterdir()) == []
    with files.open("audio/a") as file:
        assert file.read() == b"recording"


def test_the_folder_is_for_nobody_else(tmp_path):
    files = FolderFiles(tmp_path / "new" / "files")
    files.put_bytes(b"x", "audio/a")
    folders = (tmp_path / "new" / "files", files.incoming, tmp_path / "new" / "files" / "audio")
    assert {stat.S_IMODE(folder.stat().st_mode) for folder in folders} == {0o700}
    assert stat.S_IMODE((tmp_path / "new" / "files" / "audio" / "a").stat().st_mode) == 0o600


@pytest.mark.parametrize("url", ["gs://bucket/x", "s3://", "s3://bucket?x=1", "https://user:s3cret@host/x"])
def test_other_storages_are_refused(url):
    keys = StorageSettings(access_key_id="id", secret_access_key="s3cret")
    with pytest.raises(ConfigurationError, match=r"STORAGE_URL is neither a folder nor s3://bucket/prefix$") as refused:
        open_files(url, keys)
    assert refused.value.param == "STORAGE_URL"


def test_s3_needs_its_keys_and_a_folder_must_be_possible():
    with pytest.raises(ConfigurationError, match="STORAGE_URL on S3 needs S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY"):
        open_files("s3://bucket", StorageSettings())
    with pytest.raises(ConfigurationError, match="the folder of STORAGE_URL cannot be made: No such file"):
        open_files("/proc/parley", StorageSettings())
