"""What every storage of the server must do, in a folder or in S3."""

import io

import pytest

from common.errors import GoneError, InvalidInputError

BAD_NAMES = (
    "",
    "/",
    "..",
    "audio/..",
    "audio/../results/x",
    "audio/a/../../../etc/passwd",
    "../audio/x",
    "/etc/passwd",
    "audio//x",
    "audio/x/y",
    "audio/.hidden",
    "audio/x..y",
    "audio/x.",
    "audio/x\0",
    "audio/x\n",
    "audio/x y",
    "audio\\x",
    "AUDIO/x",
    "incoming/x",
    "secrets/x",
    "audio/" + "x" * 300,
    "audio/ä",
)


def incoming(files, content, name="upload"):
    path = files.incoming / name
    path.write_bytes(content)
    return path


def check_a_file_comes_back(files):
    path = incoming(files, b"0123456789" * 1000)
    files.put(path, "audio/job-1")
    assert not path.exists()
    with files.open("audio/job-1") as file:
        assert file.read() == b"0123456789" * 1000
    with files.local_path("audio/job-1") as local:
        assert local.read_bytes() == b"0123456789" * 1000
    assert files.size("audio/job-1") == 10_000


def check_any_part_is_read(files):
    files.put_bytes(bytes(range(256)), "peaks/p.json")
    with files.open("peaks/p.json") as file:
        assert file.seek(200) == 200
        assert file.read(3) == bytes([200, 201, 202])
        assert file.seek(-2, io.SEEK_END) == 254
        assert file.read() == bytes([254, 255])
        assert file.read() == b""
        assert file.seek(10) == 10
        assert file.seek(5, io.SEEK_CUR) == 15
        assert file.read(1) == bytes([15])
        assert file.seek(1000) == 1000
        assert file.read(5) == b""


def check_the_last_content_stays(files):
    for content in (b"first", b"second"):
        files.put_bytes(content, "results/r.json")
    with files.open("results/r.json") as file:
        assert file.read() == b"second"
    files.put_bytes(b"", "results/empty.json")
    assert files.size("results/empty.json") == 0
    with files.open("results/empty.json") as file:
        assert file.read() == b""


def check_what_is_deleted_is_gone(files):
    files.put_bytes(b"x", "edits/e.json")
    files.delete("edits/e.json")
    files.delete("edits/e.json")
    for call in (files.open, files.size):
        with pytest.raises(GoneError, match="this file was erased"):
            call("edits/e.json")
    with pytest.raises(GoneError), files.local_path("edits/e.json"):
        pass


def check_other_names_are_refused(files):
    path = incoming(files, b"x")
    for name in BAD_NAMES:
        for call in (files.open, files.size, files.delete, lambda name: files.put(path, name)):
            with pytest.raises(InvalidInputError, match="this is no name of a stored file"):
                call(name)
        with pytest.raises(InvalidInputError):
            files.put_bytes(b"x", name)
        with pytest.raises(InvalidInputError), files.local_path(name):
            pass
    assert path.exists()
    assert [name for kind in ("audio/", "results/", "incoming/") for name in files.names(kind)] == []


def check_names_are_listed(files):
    for name in ("audio/job1-1", "audio/job1-2", "audio/job2-1", "results/job1-1.json"):
        files.put_bytes(b"x", name)
    assert sorted(files.names("audio/")) == ["audio/job1-1", "audio/job1-2", "audio/job2-1"]
    assert sorted(files.names("audio/job1-")) == ["audio/job1-1", "audio/job1-2"]
    assert list(files.names("results/")) == ["results/job1-1.json"]
    assert list(files.names("peaks/")) == []
    assert list(files.names("audio/", 3600)) == []


CHECKS = (
    check_a_file_comes_back,
    check_any_part_is_read,
    check_the_last_content_stays,
    check_what_is_deleted_is_gone,
    check_other_names_are_refused,
    check_names_are_listed,
)
