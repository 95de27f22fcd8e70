import asyncio
import threading

import pytest

from common.answer import orchestrated_answer
from common.contract import OrchestrationRequest
from common.earlier_words import earlier_heard
from common.errors import ConfigurationError, EndpointError, InvalidInputError
from common.results import OrchestrationResult
from orchestrator import off_loop, pipeline
from orchestrator.pipeline import orchestrate
from tests.support.fake_endpoint import DIARIZED, HEARD, FakeEndpoint

AUDIO = "https://example.org/a.wav"
WORDS = [
    {"word": "Hello", "start": 0.1, "end": 0.4, "confidence": 0.5, "speaker": "SPEAKER_07"},
    {"word": "there.", "start": 0.5, "end": 0.9, "speaker": None},
    {"word": "Hi.", "start": 1.2, "end": 1.5, "overlap": True, "speaker_confidence": 0.1},
]
LONG = {**DIARIZED, "segments": [*DIARIZED["segments"], {"start": 2.0, "end": 5.0, "speaker": "SPEAKER_01"}]}


def diarization(**fields):
    return FakeEndpoint("diarization", **{"output": DIARIZED, **fields})


async def rediarized(speakers=None, *, transcription=None, deadline_s=90.0, on_progress=None, **fields):
    asked = {"audio": AUDIO, "response_format": "verbose_json", "words": WORDS, **fields}
    request = OrchestrationRequest.model_validate(asked)
    return await orchestrate(
        request,
        diarization=speakers or diarization(),
        transcription=transcription,
        deadline_s=deadline_s,
        on_progress=on_progress,
    )


async def test_earlier_words_get_the_speakers_of_the_new_turns_and_nothing_is_transcribed():
    speakers, words = diarization(), FakeEndpoint("transcription", output=HEARD)
    answer = await rediarized(speakers, transcription=words, num_speakers=2, language="en", request_id="r-1")
    assert answer["words"] == [
        {"word": "Hello", "start": 0.1, "end": 0.4, "confidence": 0.5, "speaker": "SPEAKER_00"},
        {"word": "there.", "start": 0.5, "end": 0.9, "speaker": "SPEAKER_00"},
        {"word": "Hi.", "start": 1.2, "end": 1.5, "speaker": "SPEAKER_01"},
    ]
    assert words.inputs == []
    assert speakers.inputs == [{"audio": AUDIO, "num_speakers": 2, "request_id": "r-1"}]
    assert OrchestrationResult.model_validate(answer).num_speakers == 2


async def test_the_result_says_what_ran():
    answer = await rediarized()
    assert (answer["model"], answer["models"]) == ("fake diarization", {"diarization": "fake diarization"})
    assert (answer["language"], answer["duration"]) == ("und", 2.0)
    assert (answer["diarization"], answer["warnings"]) == ("completed", [])
    assert not [name for name in answer["timings"] if name.startswith("transcription")]
    assert answer["timings"]["diarization_execution_s"] == 0.5
    assert (await rediarized(language="de"))["language"] == "de"


async def test_words_out_of_order_stay_in_their_order():
    shuffled = [WORDS[2], WORDS[0], WORDS[1]]
    answer = await rediarized(words=shuffled)
    assert [word["word"] for word in answer["words"]] == ["Hi.", "Hello", "there."]
    assert [word["speaker"] for word in answer["words"]] == ["SPEAKER_01", "SPEAKER_00", "SPEAKER_00"]
    assert answer["text"] == "Hi. Hello there."


async def test_words_written_without_spaces_stay_so():
    joined = [{"word": "你", "start": 0.1, "end": 0.2}, {"word": "好", "start": 0.2, "end": 0.3, "space_before": False}]
    assert (await rediarized(words=joined))["text"] == "你好"


async def test_the_coverage_is_that_of_the_new_turns_and_nothing_is_repaired():
    words = FakeEndpoint("transcription", output=HEARD)
    answer = await rediarized(diarization(output={**LONG, "duration": 5.0}), transcription=words)
    empty = [{"start": 1.7, "end": 5.0}]
    assert answer["coverage"] == {"speech_s": 5.0, "repaired_s": 0.0, "empty_s": 3.3, "empty": empty, "failed": []}
    assert answer["warnings"] == ["3.3 s of speech have no words (see coverage)"]
    assert words.inputs == []


async def test_no_words_are_words_too():
    answer = await rediarized(words=[])
    assert (answer["words"], answer["text"], answer["coverage"]["empty_s"]) == ([], "", 2.0)


async def test_words_that_go_on_after_the_audio_are_doubted():
    late = [*WORDS, {"word": "More.", "start": 95.0, "end": 95.5}]
    (doubt,) = (await rediarized(words=late))["warnings"]
    assert doubt == "the words end at 95.5 s, the audio at 2.0 s; are they of the same recording?"
    assert (await rediarized(words=[*WORDS, {"word": "Well.", "start": 1.9, "end": 2.9}]))["warnings"] == []


async def test_text_formats_are_rendered_too():
    answer = await rediarized(response_format="text")
    assert answer["text"].splitlines() == ["SPEAKER_00: Hello there.", "SPEAKER_01: Hi."]
    assert answer["models"] == {"diarization": "fake diarization"}


async def test_a_failed_diarization_fails_by_default_and_degrades_to_the_words():
    failure = EndpointError("out of memory", endpoint="diarization")
    with pytest.raises(EndpointError, match="out of memory"):
        await rediarized(diarization(error=failure))
    answer = await rediarized(diarization(error=failure), on_diarization_failure="degrade", language="en")
    assert (answer["diarization"], answer["text"], answer["duration"]) == ("failed", "Hello there. Hi.", 1.5)
    assert (answer["model"], answer["models"], answer["language"]) == ("none", {}, "en")
    assert "speaker" not in answer["words"][0]
    assert answer["warnings"] == ["diarization failed, so that words have no speakers: out of memory"]
    assert OrchestrationResult.model_validate(answer).device == "none"


async def test_words_without_diarization_have_no_meaning():
    speakers = diarization()
    with pytest.raises(InvalidInputError, match="find their speakers anew") as caught:
        await rediarized(speakers, diarize=False)
    assert (caught.value.param, speakers.inputs) == ("words", [])


async def test_words_are_merged_off_the_event_loop(monkeypatch):
    monkeypatch.setattr(off_loop, "SMALL", 0)
    loop_ran = threading.Event()

    def merged(*args, **kwargs):
        assert loop_ran.wait(5)  # in vain where the loop itself is kept waiting
        return orchestrated_answer(*args, **kwargs)

    monkeypatch.setattr(pipeline, "orchestrated_answer", merged)
    monkeypatch.setattr(pipeline, "earlier_heard", lambda *args: loop_ran.wait(5) and earlier_heard(*args))
    answer = asyncio.ensure_future(rediarized())
    while not answer.done():
        await asyncio.sleep(0.01)
        loop_ran.set()
    assert (await answer)["text"] == "Hello there. Hi."


@pytest.mark.parametrize("key", ["segments", "exclusive_segments"])
async def test_more_speakers_than_can_be_merged_are_an_error(key):
    turns = [{"start": number, "end": number + 1, "speaker": f"S{number}"} for number in range(101)]
    crowd = {**DIARIZED, key: turns}
    with pytest.raises(InvalidInputError, match=r"10[13] speakers are too many .* max_speakers") as caught:
        await rediarized(diarization(output=crowd))
    assert caught.value.param == "max_speakers"
    answer = await rediarized(diarization(output=crowd), on_diarization_failure="degrade")
    assert answer["diarization"] == "failed"
    assert "are too many to be merged with words" in answer["warnings"][0]


async def test_a_missing_endpoint_is_named_before_anything_is_started():
    speakers = diarization()
    with pytest.raises(ConfigurationError, match="set TRANSCRIPTION_ENDPOINT_ID"):
        await rediarized(speakers, words=None)
    request = OrchestrationRequest.model_validate({"audio": AUDIO, "words": WORDS})
    with pytest.raises(ConfigurationError, match="set DIARIZATION_ENDPOINT_ID"):
        await orchestrate(request, diarization=None, transcription=None, deadline_s=9)
    assert speakers.inputs == []


async def test_progress_is_the_diarizations():
    seen = []
    await rediarized(diarization(progress=(0.25, 0.5)), on_progress=seen.append)
    assert [part["progress"] for part in seen] == [0.25, 0.5, 1.0, 1.0]
    assert seen[-1]["stage"] == "diarization"


async def test_known_speakers_reach_the_diarization_as_they_were_given():
    speakers = diarization(output={**DIARIZED, "speaker_matches": []})
    known = [{"name": "Sheila", "audio": "https://example.org/s.wav"}, {"name": "Ada", "embedding": [0.5, 1.0]}]
    options = {"known_speaker_threshold": 0.5, "return_embeddings": True, "request_id": "r-1"}
    await rediarized(speakers, known_speakers=known, **options)
    assert speakers.inputs == [{"audio": AUDIO, "known_speakers": known, **options}]
