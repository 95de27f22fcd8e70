import asyncio
import base64
import json
from dataclasses import replace

import numpy as np
import pytest

from common.audio.limits import AudioLimits
from common.contract import DiarizationRequest
from handlers import further_audio
from handlers.diarization.fake import FakeDiarization
from handlers.diarization.handler import diarize
from handlers.diarization.known import voice_sources
from handlers.worker import Worker
from tests.support.audio_jobs import job, tone, wav_base64

LIMITS = AudioLimits(max_download_bytes=10**6, max_duration_s=20, fetch_timeout_s=5, allow_private_addresses=False)


async def no_post(job, progress):
    pass


def worker(infer):
    return Worker(
        name="test",
        request_type=DiarizationRequest,
        infer=infer,
        limits=LIMITS,
        post_progress=no_post,
        further_audio=voice_sources,
    )


def known_job(*audio, seconds=2.0):
    asked = job(seconds)
    asked["input"]["known_speakers"] = [{"name": f"voice {n}", "audio": one} for n, one in enumerate(audio)]
    return asked


def recorded(request, samples, tick, further):
    return {"samples": len(samples), "further": {param: len(found) for param, found in further.items()}}


async def error_of(*audio):
    answer = await worker(recorded)(known_job(*audio))
    error = json.loads(answer["error"])
    return error["code"], error["param"], error["message"]


async def test_known_voices_are_fetched_and_recognised_from_a_data_uri():
    voice = f"data:audio/wav;base64,{wav_base64(tone(1.0))}"
    answer = await worker(lambda *given: diarize(FakeDiarization(), *given))(known_job(voice, seconds=3.0))
    assert answer["speakers"] == ["SPEAKER_01", "voice 0"]
    assert answer["speaker_matches"] == [{"speaker": "SPEAKER_00", "name": "voice 0", "similarity": 1.0}]
    assert answer["timings"].keys() == {
        "cold_start_s",
        "further_audio_s",
        "fetch_s",
        "decode_s",
        "wait_s",
        "inference_s",
        "total_s",
    }


async def test_every_recording_comes_by_its_field():
    answer = await worker(recorded)(known_job(wav_base64(tone(1.0)), wav_base64(tone(0.5))))
    assert answer["samples"] == 32_000
    assert answer["further"] == {"known_speakers.0.audio": 16_000, "known_speakers.1.audio": 8_000}


async def test_without_further_audio_there_is_none_and_no_time_of_it():
    answer = await worker(recorded)(known_job())
    assert answer["further"] == {}
    assert "further_audio_s" not in answer["timings"]


async def test_only_the_beginning_is_kept_in_memory_of_its_own(monkeypatch):
    monkeypatch.setattr(further_audio, "FURTHER_AUDIO_S", 0.25)
    kept = []

    def infer(request, samples, tick, further):
        kept.extend(further.values())
        return {"ok": True}

    voice = tone(2.0)
    assert (await worker(infer)(known_job(wav_base64(voice))))["ok"] is True
    assert np.allclose(kept[0], voice[:4000], atol=1e-4)
    assert kept[0].base is None


@pytest.mark.parametrize(
    ("audio", "code", "message"),
    [
        ("not base64!", "invalid_input", "audio must be an http(s) URL, a data URI or base64"),
        (base64.b64encode(b"no audio at all" * 9).decode(), "unreadable_audio", ""),
        (wav_base64(np.zeros(0, np.float32)), "empty_audio", "the audio has no samples"),
        (wav_base64(tone(21.0)), "input_too_large", "the audio is longer than the limit of 20 s"),
        ("http://127.0.0.1/voice.wav", "bad_audio_url", ""),
        ("file:///etc/passwd", "bad_audio_url", ""),
    ],
)
async def test_an_error_names_the_field_and_keeps_its_kind(audio, code, message):
    found = await error_of(wav_base64(tone(1.0)), audio)
    assert found[:2] == (code, "known_speakers.1.audio")
    assert found[2].startswith(f"known_speakers.1.audio: {message}")


async def test_a_server_that_is_down_may_be_tried_again(monkeypatch):
    async def fail(source, folder, *, limits):
        raise further_audio.AudioFetchError("the server is away", param="audio")

    monkeypatch.setattr(further_audio, "fetch_audio", fail)
    answer = await worker(recorded)(known_job("https://example.com/voice.wav"))
    error = json.loads(answer["error"])
    assert (error["code"], error["retryable"]) == ("audio_fetch_failed", True)
    assert error["param"] == "known_speakers.0.audio"


async def test_a_job_stopped_while_a_voice_is_fetched_never_runs(monkeypatch):
    fetching = asyncio.Event()

    async def hang(source, folder, *, limits):
        fetching.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(further_audio, "fetch_audio", hang)
    task = asyncio.create_task(worker(lambda *_: pytest.fail("ran"))(known_job("https://example.com/voice.wav")))
    await fetching.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_the_first_error_ends_the_job_before_its_audio_is_fetched(monkeypatch):
    fetched = []

    async def refuse(source, folder, *, limits):
        fetched.append(source)
        raise further_audio.AudioFetchError("the server is away", param="audio")

    monkeypatch.setattr(further_audio, "fetch_audio", refuse)
    monkeypatch.setattr("handlers.worker.fetch_audio", refuse)
    assert (await error_of("https://example.com/a.wav", "https://example.com/b.wav"))[0] == "audio_fetch_failed"
    assert fetched == ["https://example.com/a.wav"]


async def test_where_there_is_something_to_do_without_the_error_is_handed_on():
    lenient = worker(lambda request, samples, tick, further: {"further": {k: str(v) for k, v in further.items()}})
    lenient.without_further = lambda request: request.num_speakers == 2
    asked = known_job("not base64!", wav_base64(tone(1.0)))
    assert json.loads((await lenient(asked))["error"])["param"] == "known_speakers.0.audio"
    asked["input"]["num_speakers"] = 2
    found = (await lenient(asked))["further"]
    assert found.keys() == {"known_speakers.0.audio"}
    assert found["known_speakers.0.audio"].startswith("known_speakers.0.audio: audio must be an http(s) URL")


async def test_all_recordings_together_have_the_time_of_one(monkeypatch):
    fetched = []

    async def slow(source, folder, *, limits):
        fetched.append(source)
        await asyncio.sleep(0.15)
        path = folder / "audio"
        path.write_bytes(base64.b64decode(wav_base64(tone(0.5))))
        return path

    monkeypatch.setattr(further_audio, "fetch_audio", slow)
    hurried = worker(recorded)
    hurried.limits = replace(LIMITS, fetch_timeout_s=0.4)
    answer = await hurried(known_job(*(f"https://example.com/{n}.wav" for n in range(50))))
    error = json.loads(answer["error"])
    assert (error["code"], error["param"], error["retryable"]) == ("audio_fetch_failed", "known_speakers", True)
    assert error["message"].startswith("known_speakers: its recordings could not all be fetched within 0.4 s; send")
    assert 1 <= len(fetched) <= 4


async def test_what_comes_after_the_beginning_is_not_decoded(monkeypatch):
    monkeypatch.setattr(further_audio, "FURTHER_AUDIO_S", 2.0)
    answer = await worker(recorded)(known_job(wav_base64(tone(21.0))))
    assert answer["further"] == {"known_speakers.0.audio": 32_000}
