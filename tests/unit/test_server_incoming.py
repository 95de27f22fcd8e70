"""Recordings on their way in: on a full disk, and slower than the janitor's patience."""

import os
import time
from pathlib import Path

import pytest

from common.audio.limits import AudioLimits
from common.errors import StorageError
from orchestrator.server.http import incoming
from orchestrator.server.http.incoming import incoming_file
from orchestrator.server.store.files import FolderFiles
from orchestrator.server.store.janitor import _sweep_incoming

LIMITS = AudioLimits(max_download_bytes=1_000_000)


@pytest.fixture
def on_a_full_disk(monkeypatch, tmp_path):
    """All files opened for recordings are on a disk without room."""
    path = tmp_path / "upload-x"
    path.touch()
    monkeypatch.setattr(incoming, "_opened", lambda folder: (path, Path("/dev/full").open("wb")))  # noqa: SIM115 - closed by what is tested
    return tmp_path


async def test_a_full_disk_is_said_and_nothing_is_left(on_a_full_disk):
    async def upload():
        async with incoming_file(on_a_full_disk, LIMITS) as file:
            await file.add(b"RIFF")
            await file.store(None, "audio/x")

    with pytest.raises(StorageError, match="disk is full"):
        await upload()
    assert list(on_a_full_disk.iterdir()) == []


async def test_a_disk_on_which_no_file_can_be_made_is_said(tmp_path):
    (tmp_path / "taken").touch()
    with pytest.raises(StorageError, match="disk is full"):
        async with incoming_file(tmp_path / "taken", LIMITS):
            pytest.fail("there is no such folder")


async def test_a_slow_upload_is_not_taken_for_one_left_over(tmp_path, monkeypatch):
    monkeypatch.setattr(incoming, "FRESH_S", 0.0)
    files = FolderFiles(tmp_path)
    name = f"audio/{'0' * 32}-01234567"
    async with incoming_file(files.incoming, LIMITS) as file:
        for piece in (b"one ", b"two ", b"three"):
            _make_old(files)
            await file.add(piece)
            _sweep_incoming(files, 3600.0)
        await file.store(files, name)
    with files.open(name) as stored:
        assert stored.read() == b"one two three"


def _make_old(files):
    for path in files.incoming.iterdir():
        os.utime(path, (time.time() - 4000,) * 2)
