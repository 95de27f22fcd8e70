"""OpenAI's own client, unmodified, against the server on loopback whose models are toys."""

import asyncio
import warnings

import pytest
import pytest_asyncio

from common.errors import EngineError, UnreadableAudioError
from tests.support.own_server import RECORDING, TalkBackend, own_server

with warnings.catch_warnings():
    # The client may warn of its own dependencies while it is imported.
    warnings.simplefilter("ignore", DeprecationWarning)
    import openai

pytestmark = pytest.mark.asyncio(loop_scope="module")

TEXT = "Do you know Chicago? I live there."
FILE = ("talk.wav", RECORDING)


def client_of(server, *, api_key="none"):
    return openai.AsyncOpenAI(base_url=f"{server.url}/v1", api_key=api_key, max_retries=0)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(tmp_path_factory):
    async with own_server(tmp_path_factory.mktemp("server")) as served:
        yield served


@pytest.fixture
def server(running):
    running.backend.reset()
    return running


@pytest_asyncio.fixture(loop_scope="module")
async def create(server):
    """The client's method for transcriptions, of our recording unless another is given."""
    async with client_of(server) as client:

        def call(*, file=FILE, model="whisper-1", **asked):
            return client.audio.transcriptions.create(file=file, model=model, **asked)

        yield call


async def test_json(server, create):
    transcription = await create()
    assert type(transcription) is openai.types.audio.Transcription
    assert transcription.text == TEXT
    assert transcription.usage.seconds == 30.0
    assert server.backend.asked == [{"diarize": False}]
    assert (server.kept(), server.jobs()) == ([], 0)


async def test_text_formats(create):
    assert await create(response_format="text") == TEXT
    srt = await create(response_format="srt")
    assert srt.startswith("1\n00:00:00,200 --> 00:00:01,500\nDo you know Chicago?\n\n2\n")
    vtt = await create(response_format="vtt", model="gpt-4o-transcribe-diarize")
    assert "<v SPEAKER_01>I live there.</v>" in vtt


async def test_verbose_json_with_times_of_words(create):
    verbose = await create(response_format="verbose_json", timestamp_granularities=["word", "segment"])
    assert (verbose.language, verbose.duration, verbose.text) == ("en", 30.0, TEXT)
    assert [(word.word, word.start, word.end) for word in verbose.words[3:5]] == [
        ("Chicago?", 0.9, 1.5),
        ("I", 2.0, 2.1),
    ]
    assert [segment.start for segment in verbose.segments] == [0.2, 2.0]
    assert (await create(response_format="verbose_json")).words is None


async def test_diarized_json_with_known_speakers(server, create):
    voices = ["data:audio/wav;base64,UklGRg==", "data:audio/wav;base64,UklGRh=="]
    diarized = await create(
        response_format="diarized_json",
        chunking_strategy={"type": "server_vad", "threshold": 0.5},
        known_speaker_names=["Ann", "Bob"],
        known_speaker_references=voices,
        extra_body={"max_speakers": 3},
    )
    assert [(segment.speaker, segment.text) for segment in diarized.segments] == [
        ("SPEAKER_00", "Do you know Chicago?"),
        ("SPEAKER_01", "I live there."),
    ]
    known = [{"name": name, "audio": voice} for name, voice in zip(["Ann", "Bob"], voices, strict=True)]
    assert server.backend.asked == [{"diarize": True, "max_speakers": 3, "known_speakers": known}]


async def test_everything_a_client_may_say(server, create):
    transcription = await create(
        language="en", prompt="Hello.", temperature=0.2, chunking_strategy="auto", keywords=["Chicago"], stream=False
    )
    assert transcription.text == TEXT
    assert server.backend.asked == [{"diarize": False, "language": "en", "hotwords": ["Chicago"]}]


async def test_a_stream_tells_of_words_before_all_is_done(server, create):
    server.backend.going.clear()
    stream = await create(stream=True)
    first = await anext(stream)
    assert (first.type, first.delta, server.backend.running) == ("transcript.text.delta", "Do you know Chicago?", 1)
    server.backend.going.set()
    later = [event async for event in stream]
    assert [event.type for event in later] == ["transcript.text.delta", "transcript.text.done"]
    assert (first.delta + later[0].delta, later[1].text) == (TEXT, TEXT)


async def test_a_stream_of_segments(create):
    events = [event async for event in await create(stream=True, response_format="diarized_json")]
    segments = [event for event in events if event.type == "transcript.text.segment"]
    assert [(one.id, one.speaker, one.start, one.text) for one in segments] == [
        ("0", "SPEAKER_00", 0.2, "Do you know Chicago?"),
        ("1", "SPEAKER_01", 2.0, "I live there."),
    ]
    assert events[-1].text == TEXT


async def test_a_stream_that_fails(server, create):
    server.backend.going.clear()
    server.backend.late_failure = UnreadableAudioError("the audio is damaged", param="audio")
    stream = await create(stream=True)
    await anext(stream)
    server.backend.going.set()
    with pytest.raises(openai.APIError, match="the audio is damaged") as caught:
        [event async for event in stream]
    assert (caught.value.code, caught.value.type) == ("unreadable_audio", "invalid_request_error")


async def test_a_stream_whose_job_fails_at_once_has_the_status_of_that(server, create):
    server.backend.failure = UnreadableAudioError("this is no audio", param="audio")
    with pytest.raises(openai.APIStatusError, match="this is no audio") as caught:
        await create(stream=True)
    assert caught.value.status_code == 415
    assert server.jobs() == 0


@pytest.mark.parametrize(
    ("asked", "kind", "param"),
    [
        ({"response_format": "docx"}, openai.BadRequestError, "response_format"),
        ({"include": ["logprobs"]}, openai.BadRequestError, "include"),
        ({"known_speaker_names": ["Ann"]}, openai.BadRequestError, "known_speaker_references"),
        ({"extra_body": {"colour": "red"}}, openai.BadRequestError, "colour"),
        ({"language": "english!"}, openai.BadRequestError, "language"),
        ({"file": ("empty.wav", b"")}, openai.UnprocessableEntityError, "file"),
    ],
)
async def test_what_is_wrong_is_raised_as_what_it_is(server, create, asked, kind, param):
    with pytest.raises(kind) as caught:
        await create(**asked)
    assert (caught.value.param, caught.value.type) == (param, "invalid_request_error")
    assert caught.value.request_id == caught.value.response.json()["error"]["request_id"]
    assert (server.kept(), server.jobs()) == ([], 0)


async def test_a_failed_job(tmp_path):
    backend = TalkBackend()
    backend.failure = EngineError("the model failed")
    async with own_server(tmp_path, backend=backend, JOB_ATTEMPTS="1") as server, client_of(server) as client:
        with pytest.raises(openai.InternalServerError, match="the model failed") as caught:
            await client.audio.transcriptions.create(file=FILE, model="m")
    assert (caught.value.code, caught.value.type) == ("engine_failed", "server_error")


async def test_keys(tmp_path):
    async with own_server(tmp_path) as server:
        _, plain = await asyncio.to_thread(server.context.keys.add, "laptop")
        async with client_of(server, api_key=plain) as client:
            assert (await client.audio.transcriptions.create(file=FILE, model="m")).text == TEXT
        async with client_of(server, api_key="parley_00000000_wrong") as client:
            with pytest.raises(openai.AuthenticationError) as caught:
                await client.audio.transcriptions.create(file=FILE, model="m")
    assert (caught.value.code, caught.value.type) == ("invalid_api_key", "authentication_error")


async def test_limits(tmp_path):
    async with (
        own_server(tmp_path, limit_bytes=10_000, UPLOAD_RATE_LIMIT="1/minute") as server,
        client_of(server) as client,
    ):
        with pytest.raises(openai.APIStatusError) as caught:
            await client.audio.transcriptions.create(file=FILE, model="m")
        assert (caught.value.status_code, caught.value.code) == (413, "input_too_large")
        with pytest.raises(openai.RateLimitError) as caught:
            await client.audio.transcriptions.create(file=FILE, model="m")
    assert caught.value.type == "rate_limit_error"
    assert int(caught.value.response.headers["retry-after"]) > 0


async def test_models_and_the_blocking_client(server):
    def ask():
        with openai.OpenAI(base_url=f"{server.url}/v1", api_key="none") as client:
            listed = [model.id for model in client.models.list()]
            assert client.models.retrieve("parley-diarize").owned_by == "parley"
            with pytest.raises(openai.NotFoundError, match="parley and parley-diarize") as caught:
                client.models.retrieve("gpt-5")
            with client.audio.transcriptions.with_streaming_response.create(file=FILE, model=listed[1]) as response:
                return listed, caught.value.code, response.parse().text

    assert await asyncio.to_thread(ask) == (["parley", "parley-diarize"], "model_not_found", TEXT)
    assert server.backend.asked == [{"diarize": True}]


async def test_models_of_a_transcription_endpoint_alone(tmp_path):
    backend = TalkBackend(models={"transcription": "RunPod endpoint abc"})
    async with own_server(tmp_path, backend=backend) as server, client_of(server) as client:
        assert [model.id async for model in client.models.list()] == ["parley"]
