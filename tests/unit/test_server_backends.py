import base64
import contextlib
from pathlib import Path

import pytest

from common.audio.limits import AudioLimits
from common.errors import AudioUrlError, InputTooLargeError, InvalidInputError
from common.settings import load_settings
from orchestrator.server import backends
from orchestrator.server.audio_links import AudioLinks
from orchestrator.server.backends import OwnWorkers, RunPodBackend, pairs_of_workers, voices_of
from orchestrator.server.jobs import Job
from tests.support.fake_endpoint import FakeEndpoint
from tests.support.toy_backend import DIARIZATION, TRANSCRIPTION

VOICE = b"RIFF and a voice"


def job(kind="transcription", **fields):
    return Job(
        id="1" * 32, owner="local", kind=kind, filename="a.wav", fields=fields, request_id="r-1", audio="audio/1-ab",
        state="running", step="preprocessing", progress=0.0, created_at=0.0,
    )  # fmt: skip


def eve(audio):
    return {"known_speakers": [{"name": "Eve", "audio": audio}]}


class Client:
    """Remembers what the client was asked."""

    def __init__(self):
        self.asked = []

    async def transcribe(self, audio, **options):
        self._note(audio, options)
        return TRANSCRIPTION

    async def diarize(self, audio, **options):
        self._note(audio, options)
        return DIARIZATION

    def _note(self, audio, options):
        self.asked.append((Path(audio).read_bytes(), options))


class Files:
    def __init__(self, folder):
        self.path = folder / "recording"
        self.path.write_bytes(b"the recording")

    @contextlib.contextmanager
    def local_path(self, name):
        assert name == "audio/1-ab"
        yield self.path


async def answer(backend, asked, **given):
    told = []
    result = await backend.run(
        asked,
        **{"earlier": None, "on_progress": lambda _: None, "on_found": lambda *found: told.append(found), **given},
        deadline_s=10,
    )
    return result, told


@pytest.mark.parametrize(
    "audio", [base64.b64encode(VOICE).decode(), f"data:audio/wav;base64,{base64.b64encode(VOICE).decode()}"]
)
async def test_runpods_client_is_given_the_bytes_of_a_voice_never_a_text_that_could_be_a_path(tmp_path, audio):
    client = Client()
    await answer(RunPodBackend(load_settings({}), client, Files(tmp_path)), job(**eve(audio)))
    ((recording, options),) = client.asked
    assert recording == b"the recording"
    assert options["known_speakers"] == [{"name": "Eve", "audio": VOICE}]
    assert (options["request_id"], options["idempotency_key"]) == ("r-1", "1" * 32)


@pytest.mark.parametrize("kind", ["transcription", "diarization"])
async def test_a_path_is_no_voice(tmp_path, kind):
    secret = tmp_path / "id_rsa.txt"
    secret.write_text("SECRET")
    client = Client()
    with pytest.raises(InvalidInputError) as failure:
        await answer(RunPodBackend(load_settings({}), client, Files(tmp_path)), job(kind, **eve(str(secret))))
    assert (client.asked, failure.value.param) == ([], "known_speakers")
    assert failure.value.message.startswith("the recording of Eve: ")


async def test_a_voice_at_a_private_address_is_refused_by_the_name_of_its_speaker():
    with pytest.raises(AudioUrlError) as failure:
        await voices_of(eve("http://127.0.0.1:9/voice.wav"), limits=AudioLimits())
    assert failure.value.param == "known_speakers"
    assert "Eve" in failure.value.message


async def test_a_voice_that_is_too_long_is_too(monkeypatch):
    monkeypatch.setattr(backends, "MAX_VOICE_BYTES", 10)
    with pytest.raises(InputTooLargeError, match="Eve"):
        await voices_of(eve(base64.b64encode(VOICE).decode()), limits=AudioLimits())


async def test_own_workers_fetch_the_recording_from_the_server_and_tell_what_they_find():
    endpoints = {name: FakeEndpoint(name, output) for name, output in
                 {"diarization": DIARIZATION, "transcription": TRANSCRIPTION}.items()}  # fmt: skip
    links = AudioLinks(b"s" * 32, base_url="http://server")
    backend = OwnWorkers(load_settings({}), **endpoints, links=links)
    result, told = await answer(backend, job(num_speakers=2, **eve(base64.b64encode(VOICE).decode())))
    assert result["diarization"] == "completed"
    assert {name for name, _ in told} == {"diarization", "transcription"}
    (asked,) = endpoints["diarization"].inputs
    assert (asked["audio"], asked["num_speakers"], asked["request_id"]) == (links.url("audio/1-ab"), 2, "r-1")
    assert asked["known_speakers"][0]["audio"] == base64.b64encode(VOICE).decode()
    diarized, _ = await answer(backend, job("diarization", num_speakers=2))
    assert diarized["num_speakers"] == 2
    assert len(endpoints["transcription"].inputs) == 1


@pytest.mark.parametrize(
    ("health", "pairs"),
    [
        ({}, 1),
        ({"state": "starting"}, 1),
        ({"diarization": {"workers_ready": 0, "workers_running": 0}}, 1),
        (
            {
                "diarization": {"workers_ready": 1, "workers_running": 2},
                "transcription": {"workers_ready": 2, "workers_running": 0},
            },
            2,
        ),
    ],
)
def test_so_many_jobs_can_be_done_at_once(health, pairs):
    assert pairs_of_workers(health) == pairs
