import base64
from contextlib import asynccontextmanager

import pytest

from common.errors import ConfigurationError, InvalidInputError
from common.settings import load_settings
from orchestrator.client import AsyncParley, Parley
from tests.support.fake_chat_server import chat_server, names
from tests.support.fake_endpoint import DIARIZED, HEARD
from tests.support.scripted_server import scripted_server

QUEUED = {"id": "job-1", "status": "IN_QUEUE"}
AUDIO = "https://example.org/a.wav"
SENT_WORDS = [{"word": one["word"], "start": one["start"], "end": one["end"]} for one in HEARD["words"]]


@asynccontextmanager
async def client(output, env=None, **ids):
    final = {"id": "job-1", "status": "COMPLETED", "output": output}
    async with scripted_server({"run": [QUEUED], "status/job-1": [final]}) as script:
        base = {"RUNPOD_BASE_URL": script.url, "ORCHESTRATOR_ENDPOINT_ID": "endpoint"}
        async with AsyncParley(load_settings({**base, **(env or {})}), **ids) as parley:
            yield parley, script


def asked(script):
    return script.asked[0][1]["input"]


async def test_rediarizing_needs_no_transcription_endpoint_and_keeps_the_words():
    earlier = {**HEARD, "words": [{**word, "speaker": "SPEAKER_05"} for word in HEARD["words"]]}
    async with client(DIARIZED, diarization_id="endpoint") as (parley, script):
        answer = await parley.rediarize(earlier, AUDIO, num_speakers=2)
    assert script.count("run") == 1
    assert asked(script) == {"audio": AUDIO, "num_speakers": 2, "request_id": answer["request_id"]}
    assert [word["speaker"] for word in answer["words"]] == ["SPEAKER_00", "SPEAKER_00", "SPEAKER_01"]
    assert (answer["text"], answer["language"], answer["duration"]) == ("Hello there. Hi.", "en", 2.0)
    assert answer["models"] == {"diarization": "fake diarization"}


async def test_a_rediarized_result_can_be_rediarized_again():
    async with client(DIARIZED, diarization_id="endpoint") as (parley, _):
        first = await parley.rediarize(HEARD, AUDIO)
        again = await parley.rediarize(first, AUDIO)
    assert (again["words"], again["segments"]) == (first["words"], first["segments"])


async def test_an_orchestrator_gets_the_words_without_their_speakers():
    async with client(HEARD) as (parley, script):
        await parley.rediarize({**HEARD, "language": "de"}, AUDIO, max_speakers=3)
    assert asked(script)["words"] == SENT_WORDS
    assert (asked(script)["language"], asked(script)["max_speakers"]) == ("de", 3)


async def test_the_language_can_be_given_anew():
    async with client(HEARD) as (parley, script):
        await parley.rediarize(HEARD, AUDIO, language="fr")
    assert asked(script)["language"] == "fr"


async def test_without_earlier_words_an_orchestrator_is_sent_none():
    async with client(HEARD) as (parley, script):
        await parley.transcribe(AUDIO)
    assert "words" not in asked(script)


@pytest.mark.parametrize("result", [{"text": "only text"}, {**HEARD, "words": None}, [], "text"])
async def test_a_result_without_words_never_reaches_an_endpoint(result):
    async with client(HEARD) as (parley, script):
        with pytest.raises(InvalidInputError, match="response_format verbose_json"):
            await parley.rediarize(result, AUDIO)
    assert script.asked == []


async def test_words_and_no_speakers_never_reach_an_endpoint():
    async with client(HEARD) as (parley, script):
        with pytest.raises(InvalidInputError, match="find their speakers anew"):
            await parley.rediarize(HEARD, AUDIO, diarize=False)
    assert script.asked == []


async def test_a_missing_diarization_endpoint_is_named():
    async with client(HEARD, transcription_id="endpoint") as (parley, _):
        with pytest.raises(ConfigurationError, match="DIARIZATION_ENDPOINT_ID"):
            await parley.rediarize(HEARD, AUDIO)


def test_the_sync_client_rediarizes_too():
    with pytest.raises(InvalidInputError, match="response_format verbose_json"):
        Parley(load_settings({})).rediarize({"text": "only text"}, AUDIO)


@pytest.mark.parametrize("method", ["transcribe", "diarize"])
async def test_known_voices_are_sent_from_this_machine(tmp_path, method):
    voice = tmp_path / "sheila.wav"
    voice.write_bytes(b"voice")
    known = [{"name": "Sheila", "audio": voice}, {"name": "Ada", "embedding": [0.5, 1.0]}]
    output = HEARD if method == "transcribe" else DIARIZED
    ids = {} if method == "transcribe" else {"diarization_id": "endpoint"}
    async with client(output, **ids) as (parley, script):
        await getattr(parley, method)(AUDIO, known_speakers=known)
    embedded = base64.b64encode(b"voice").decode()
    assert asked(script)["known_speakers"] == [
        {"name": "Sheila", "audio": embedded},
        {"name": "Ada", "embedding": [0.5, 1.0]},
    ]


async def test_a_wrong_known_speaker_is_told_by_its_field():
    async with client(HEARD) as (parley, script):
        with pytest.raises(InvalidInputError, match=r"known_speakers.0: give either audio or embedding"):
            await parley.transcribe(AUDIO, known_speakers=[{"name": "Sheila"}])
    assert script.asked == []


async def test_the_client_asks_the_language_model_where_it_orchestrates():
    heard = {**HEARD, "words": [*HEARD["words"][:2], {"word": "Sheila.", "start": 1.2, "end": 1.5}]}
    async with chat_server(names(SPEAKER_00="Sheila")) as chat:
        env = {"SPEAKER_NAMING_URL": chat.url, "SPEAKER_NAMING_MODEL": "llama3.2"}
        async with client(DIARIZED, env, diarization_id="endpoint") as (parley, _):
            answer = await parley.rediarize(heard, AUDIO, name_speakers=True)
    assert [word["speaker"] for word in answer["words"]] == ["Sheila", "Sheila", "SPEAKER_01"]
    assert answer["speaker_names"] == {"SPEAKER_00": "Sheila"}
    assert answer["timings"]["naming_s"] > 0


async def test_without_a_language_model_no_endpoint_is_asked():
    async with client(DIARIZED, diarization_id="endpoint") as (parley, script):
        with pytest.raises(InvalidInputError, match="SPEAKER_NAMING_URL"):
            await parley.rediarize(HEARD, AUDIO, name_speakers=True)
    assert script.asked == []


async def test_an_orchestrator_knows_by_itself_whether_it_has_a_language_model():
    async with client(HEARD) as (parley, script):
        await parley.transcribe(AUDIO, name_speakers=True)
    assert asked(script)["name_speakers"] is True
