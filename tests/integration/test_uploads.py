import asyncio
import base64
import io
import logging
import re
import threading

import numpy as np
import pytest
import soundfile

from common.audio.download import download
from common.audio.encode import MIN_BIT_RATE
from common.audio.fetch import fetch_audio
from common.audio.limits import SAMPLE_RATE, AudioLimits
from common.errors import DeadlineExceededError, InputTooLargeError, JobCancelledError, StorageError
from common.object_store import ObjectStore
from common.settings import StorageSettings
from orchestrator import request_parts, upload
from orchestrator.request_parts import with_recordings
from orchestrator.upload import BODY_RESERVE_BYTES, Uploads, request_audio
from tests.support.s3_server import s3_server, storage_settings

LIMITS = AudioLimits(allow_private_addresses=True)


@pytest.fixture(scope="module")
def s3():
    with s3_server() as server:
        yield server


@pytest.fixture(autouse=True)
def nothing_left(s3):
    yield
    assert s3.stored() == []


def wav(seconds):
    noise = np.random.default_rng(0).normal(0, 0.1, round(seconds * SAMPLE_RATE)).astype(np.float32)
    buffer = io.BytesIO()
    soundfile.write(buffer, noise, SAMPLE_RATE, format="WAV", subtype="PCM_16")
    return buffer.getvalue()


@pytest.fixture
def small_requests(monkeypatch):
    """Requests that have room for 10 s of Opus."""
    room_bytes = 10 * MIN_BIT_RATE // 8 * 4 // 3
    monkeypatch.setattr(request_parts, "RUN_BODY_BYTES", BODY_RESERVE_BYTES + room_bytes)


async def sent(uploads, audio, **options):
    return await asyncio.to_thread(with_recordings, audio, options, limits=LIMITS, uploads=uploads)


@pytest.mark.parametrize("kind", [bytes, str])
async def test_what_does_not_fit_even_as_opus_is_uploaded_as_it_is(s3, tmp_path, small_requests, kind):
    content = wav(30)
    (tmp_path / "a.wav").write_bytes(content)
    async with Uploads(s3.settings, deadline_s=60) as uploads:
        fields = await sent(uploads, content if kind is bytes else str(tmp_path / "a.wav"), num_speakers=2)
        assert fields["num_speakers"] == 2
        assert (await fetch_audio(fields["audio"], tmp_path, limits=LIMITS)).read_bytes() == content
        assert s3.stored() == list(uploads.keys)
        assert len(uploads.keys) == 1
        assert 640 < int(re.search(r"X-Amz-Expires=(\d+)&", fields["audio"])[1]) <= 660


async def test_what_fits_as_opus_is_not_uploaded(s3, small_requests):
    async with Uploads(s3.settings, deadline_s=60) as uploads:
        fields = await sent(uploads, wav(8))
        assert base64.b64decode(fields["audio"])[:4] == b"OggS"
        assert uploads.keys == ()


async def test_voices_that_do_not_fit_are_uploaded_too(s3, tmp_path, small_requests):
    known = [{"name": "Ada", "audio": wav(30)}]
    async with Uploads(s3.settings, deadline_s=60) as uploads:
        fields = await sent(uploads, wav(31), known_speakers=known)
        for field, content in ((fields["known_speakers"][0]["audio"], wav(30)), (fields["audio"], wav(31))):
            await download(field, tmp_path / "got", limits=LIMITS)
            assert (tmp_path / "got").read_bytes() == content
        assert sorted(uploads.keys) == s3.stored()
        assert len(uploads.keys) == 2


async def test_words_that_leave_no_room_do_not_matter_where_there_is_storage(s3, monkeypatch):
    words = [{"word": "word", "start": 0.1, "end": 0.2}] * 1000
    monkeypatch.setattr(request_parts, "RUN_BODY_BYTES", 60_000)
    async with Uploads(s3.settings, deadline_s=60) as uploads:
        fields = await sent(uploads, wav(1), words=words)
        assert fields["audio"].startswith(s3.settings.endpoint_url)
    async with Uploads(StorageSettings(), deadline_s=60) as uploads:
        with pytest.raises(InputTooLargeError, match="most of the request are its words"):
            await sent(uploads, wav(1), words=words)
    monkeypatch.setattr(request_parts, "RUN_BODY_BYTES", 40_000)
    async with Uploads(s3.settings, deadline_s=60) as uploads:
        with pytest.raises(InputTooLargeError, match="most of the request are its words"):
            await sent(uploads, wav(1), words=words)


@pytest.mark.parametrize("failure", [ValueError, asyncio.CancelledError])
async def test_what_was_uploaded_is_deleted_whatever_happens(s3, failure):
    uploads = Uploads(s3.settings, deadline_s=60)

    async def job():
        async with uploads:
            await asyncio.to_thread(uploads.put, b"recording")
            assert len(s3.stored()) == 1
            raise failure

    with pytest.raises(failure):
        await job()
    assert uploads.keys == ()
    await uploads.close()


async def test_an_upload_that_is_still_running_is_ended_and_leaves_nothing(s3, monkeypatch):
    stored, go_on = threading.Event(), threading.Event()
    put_bytes = ObjectStore.put_bytes

    def slow(*args, **kwargs):
        key = put_bytes(*args, **kwargs)
        stored.set()
        assert go_on.wait(10)
        return key

    monkeypatch.setattr(ObjectStore, "put_bytes", slow)
    async with Uploads(s3.settings, deadline_s=60) as uploads:
        running = asyncio.create_task(asyncio.to_thread(uploads.put, b"recording"))
        await asyncio.to_thread(stored.wait, 10)
    go_on.set()
    with pytest.raises(JobCancelledError, match="the job ended while its recording was uploaded"):
        await running


async def test_after_the_end_and_after_the_deadline_nothing_is_uploaded(s3):
    async with Uploads(s3.settings, deadline_s=60) as uploads:
        pass
    with pytest.raises(JobCancelledError):
        uploads.put(b"recording")
    async with Uploads(s3.settings, deadline_s=0) as late:
        with pytest.raises(DeadlineExceededError, match="not uploaded within 0 s"):
            late.put(b"recording")


async def test_without_a_storage_nothing_changes(small_requests):
    async with Uploads(StorageSettings(), deadline_s=60) as uploads:
        assert not uploads.configured
        with pytest.raises(InputTooLargeError, match=r"room for 10 seconds of it; .* set S3_BUCKET"):
            await sent(uploads, wav(30))
        with pytest.raises(ValueError, match="no storage"):
            uploads.put(b"recording")


async def test_a_storage_that_fails_is_said(s3, monkeypatch):
    def fail(self, content, *, on_bytes):
        raise StorageError("the storage answered 503; try again later")

    monkeypatch.setattr(ObjectStore, "put_bytes", fail)
    async with Uploads(s3.settings, deadline_s=60) as uploads:
        with pytest.raises(StorageError, match="503"):
            request_audio(wav(3), limits=LIMITS, body_limit_bytes=upload.BODY_RESERVE_BYTES, uploads=uploads)


async def test_what_cannot_be_deleted_is_logged_without_its_key(s3, monkeypatch, caplog):
    delete = ObjectStore.delete

    def fail(self, key):
        raise StorageError("the storage answered 503; try again later")

    with caplog.at_level(logging.INFO, logger="orchestrator"):
        async with Uploads(s3.settings, deadline_s=60) as uploads:
            uploads.put(b"recording")
            (key,) = uploads.keys
            monkeypatch.setattr(ObjectStore, "delete", fail)
    assert [line.split()[0] for line in caplog.messages] == ["audio_uploaded", "upload_not_deleted"]
    assert caplog.messages[1] == "upload_not_deleted code=storage_failed"
    assert key not in caplog.text
    delete(ObjectStore(s3.settings), key)


async def test_a_url_is_passed_on_whatever_storage_there_is():
    async with Uploads(storage_settings("http://127.0.0.1:9"), deadline_s=60) as uploads:
        assert (await sent(uploads, "https://example.org/a.mp3"))["audio"] == "https://example.org/a.mp3"
