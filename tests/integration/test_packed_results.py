import base64
import gzip
import json
import random

import pytest

from common.errors import OutputTooLargeError, StorageError
from common.object_store import ObjectStore
from common.packed_results import packed, unpacked
from tests.support.audio_server import audio_server, body, status
from tests.support.s3_server import s3_server

RESULT = {
    "text": "wörd " * 4000,
    "words": [{"word": "wörd", "start": 0.1, "end": 0.25, "speaker": None}] * 1000,
    "model": "tiny",
    "device": "cpu",
    "timings": {"total_s": 1.5},
    "warnings": ["so"],
    "language": "en",
}


def noisy(size):
    return {"text": random.Random(0).randbytes(size // 2).hex(), "model": "tiny"}


def size(result):
    return len(json.dumps({"output": result}, ensure_ascii=False).encode())


async def restored(output, **options):
    return await unpacked(output, allow_private_addresses=True, **options)


def test_what_fits_is_left_alone():
    assert packed(RESULT, limit_bytes=size(RESULT), store=None) is RESULT


async def test_what_does_not_is_compressed():
    small = packed(RESULT, limit_bytes=size(RESULT) - 1, store=None)
    assert size(small) < size(RESULT) / 10
    assert {**small, "packed": None} == {
        "packed": None,
        "model": "tiny",
        "device": "cpu",
        "timings": {"total_s": 1.5},
        "warnings": ["so"],
    }
    assert small["packed"]["encoding"] == "gzip+base64"
    by_hand = gzip.decompress(base64.b64decode(small["packed"]["data"]))
    assert len(by_hand) == small["packed"]["bytes"]
    assert json.loads(by_hand) == RESULT
    assert await restored(small) == RESULT


def test_too_large_even_so_says_what_to_do():
    with pytest.raises(OutputTooLargeError, match=r"bytes even compressed, .* limit is 1000; set .*S3_BUCKET"):
        packed(noisy(4000), limit_bytes=1000, store=None)


def test_what_is_no_json_is_not_hidden():
    with pytest.raises(ValueError, match="JSON"):
        packed({"loudness": float("nan")}, limit_bytes=1000, store=None)


async def test_too_large_even_so_goes_through_storage():
    with s3_server() as s3:
        stored = packed(noisy(4000), limit_bytes=1000, store=ObjectStore(s3.settings))
        assert size(stored) < 1000
        assert stored["model"] == "tiny"
        assert {**stored["packed"], "url": "", "bytes": 0} == {
            "encoding": "gzip",
            "url": "",
            "bytes": 0,
            "expires_in_s": 86_400,
        }
        assert await restored(stored) == noisy(4000)
        with pytest.raises(StorageError, match="refused"):
            await unpacked(stored, allow_private_addresses=False)
        s3.client.delete_object(Bucket=s3.settings.bucket, Key=s3.stored()[0])
        with pytest.raises(StorageError, match="refused or has expired"):
            await restored(stored)


@pytest.mark.parametrize("output", [None, 7, "text", [], ["packed"], {}, {"text": "a"}, {"packed": None}])
async def test_any_other_output_is_left_alone(output):
    assert await restored(output) is output


def inline(content):
    return {"packed": {"encoding": "gzip+base64", "data": base64.b64encode(content).decode(), "bytes": 1}}


ZIPPED = gzip.compress(b'{"a": 1}')


@pytest.mark.parametrize(
    "output",
    [
        {"packed": 7},
        {"packed": {}},
        {"packed": {"encoding": "zip", "data": ""}},
        {"packed": {"encoding": "gzip+base64"}},
        {"packed": {"encoding": "gzip+base64", "data": 7}},
        {"packed": {"encoding": "gzip+base64", "data": "*"}},
        {"packed": {"encoding": "gzip"}},
        inline(b""),
        inline(b"{}"),
        inline(ZIPPED[:-1]),
        inline(ZIPPED + b"x"),
        inline(ZIPPED[:12] + b"\0" + ZIPPED[13:]),
        inline(gzip.compress(b"{")),
        inline(gzip.compress(b"[]")),
        inline(gzip.compress(b"\xff")),
        inline(gzip.compress(b"[" * 200_000)),
    ],
)
async def test_what_is_damaged_is_refused(output):
    with pytest.raises(ValueError, match=r"."):
        await restored(output)


async def test_no_more_is_expanded_than_allowed():
    bomb = gzip.compress(b'{"a": "' + bytes(50_000_000) + b'"}')
    with pytest.raises(OutputTooLargeError, match="more than the 1000000 bytes that are accepted"):
        await restored(inline(bomb), limit_bytes=1_000_000)
    exact = json.dumps({"a": "b"}).encode()
    assert await restored(inline(gzip.compress(exact)), limit_bytes=len(exact)) == {"a": "b"}
    with pytest.raises(OutputTooLargeError):
        await restored(inline(gzip.compress(exact)), limit_bytes=len(exact) - 1)


async def test_what_the_storage_answers_is_judged():
    replies = {"/good": body(gzip.compress(b'{"a": 1}')), "/bad": body(b"<html>"), "/down": status(503)}
    async with audio_server(replies) as server:

        def at(path):
            return {"packed": {"encoding": "gzip", "url": f"{server.url}/{path}"}}

        assert await restored(at("good")) == {"a": 1}
        with pytest.raises(ValueError, match="damaged"):
            await restored(at("bad"))
        with pytest.raises(OutputTooLargeError):
            await restored(at("good"), limit_bytes=7)
        with pytest.raises(StorageError, match="slow or cannot be reached; try again"):
            await restored(at("down"))
    with pytest.raises(StorageError, match="refused or has expired"):
        await restored({"packed": {"encoding": "gzip", "url": "file:///etc/passwd"}})


async def test_what_is_no_number_is_refused_as_it_is_unpacked():
    data = base64.b64encode(gzip.compress(b'{"start": NaN}')).decode()
    with pytest.raises(ValueError, match="NaN"):
        await restored({"packed": {"encoding": "gzip+base64", "data": data}})
