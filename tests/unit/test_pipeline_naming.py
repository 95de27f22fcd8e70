import asyncio

import pytest

from common.contract import OrchestrationRequest
from common.errors import EndpointError, InvalidInputError
from common.results import OrchestrationResult
from orchestrator.pipeline import orchestrate
from tests.support.fake_endpoint import DIARIZED, HEARD, FakeEndpoint


class Namer:
    """Answers `names` after a delay, or raises; keeps what it was shown."""

    def __init__(self, *, error=None, delay_s=0.0, **names):
        self.names, self.error, self.delay_s = names, error, delay_s
        self.shown, self.asked = [], []
        self.cancelled = False

    async def __call__(self, segments, unnamed):
        self.asked.append(sorted(unnamed))
        self.shown.append([(segment.speaker, segment.text) for segment in segments])
        try:
            await asyncio.sleep(self.delay_s)
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        if self.error:
            raise self.error
        return self.names


async def answered(naming, *, deadline_s=90.0, diarized=DIARIZED, error=None, on_progress=None, **fields):
    children = {
        "diarization": FakeEndpoint("diarization", output=diarized, error=error),
        "transcription": FakeEndpoint("transcription", output=HEARD),
    }
    request = OrchestrationRequest.model_validate(
        {"audio": "https://example.org/a.wav", "response_format": "verbose_json", "name_speakers": True, **fields}
    )
    return await orchestrate(request, **children, deadline_s=deadline_s, naming=naming, on_progress=on_progress)


def speakers(answer):
    return [word["speaker"] for word in answer["words"]]


async def test_speakers_are_called_what_the_talk_says():
    namer = Namer(SPEAKER_00="Sheila")
    answer = await answered(namer)
    assert namer.shown == [[("SPEAKER_00", "Hello there."), ("SPEAKER_01", "Hi.")]]
    assert speakers(answer) == ["Sheila", "Sheila", "SPEAKER_01"]
    assert answer["speaker_names"] == {"SPEAKER_00": "Sheila"}
    assert answer["warnings"] == []
    assert OrchestrationResult.model_validate(answer).speakers == ["SPEAKER_01", "Sheila"]


async def test_nobody_is_asked_unless_the_request_says_so():
    namer = Namer(SPEAKER_00="Sheila")
    answer = await answered(namer, name_speakers=False)
    assert namer.shown == []
    assert speakers(answer) == ["SPEAKER_00", "SPEAKER_00", "SPEAKER_01"]
    assert "naming_s" not in answer["timings"]


async def test_names_of_the_request_are_shown_and_cannot_be_changed():
    namer = Namer(SPEAKER_00="Eve", Sheila="Eve", SPEAKER_01="Ada", SPEAKER_09="Nobody")
    answer = await answered(namer, speaker_names={"SPEAKER_00": "Sheila"})
    assert namer.shown == [[("Sheila", "Hello there."), ("SPEAKER_01", "Hi.")]]
    assert namer.asked == [["SPEAKER_01"]]
    assert speakers(answer) == ["Sheila", "Sheila", "Ada"]
    assert answer["speaker_names"] == {"SPEAKER_00": "Sheila", "SPEAKER_01": "Ada"}


async def test_a_name_that_somebody_has_is_not_given_twice():
    answer = await answered(Namer(SPEAKER_01="sheila"), speaker_names={"SPEAKER_00": "Sheila"})
    assert speakers(answer) == ["Sheila", "Sheila", "SPEAKER_01"]


async def test_recognised_voices_keep_their_names():
    segments = [{**DIARIZED["segments"][0], "speaker": "Sheila"}, DIARIZED["segments"][1]]
    matches = [{"speaker": "SPEAKER_00", "name": "Sheila", "similarity": 0.9}]
    diarized = {**DIARIZED, "segments": segments, "speakers": ["SPEAKER_01", "Sheila"], "speaker_matches": matches}
    known = [{"name": "Sheila", "embedding": [0.5, 1.0]}]
    answer = await answered(Namer(Sheila="Eve", SPEAKER_01="Ada"), diarized=diarized, known_speakers=known)
    assert speakers(answer) == ["Sheila", "Sheila", "Ada"]
    assert answer["speaker_matches"] == matches


async def test_a_name_given_by_hand_frees_that_of_a_voice_wrongly_recognised():
    segments = [{**DIARIZED["segments"][0], "speaker": "Ada"}, DIARIZED["segments"][1]]
    matches = [{"speaker": "SPEAKER_00", "name": "Ada", "similarity": 0.9}]
    diarized = {**DIARIZED, "segments": segments, "speakers": ["Ada", "SPEAKER_01"], "speaker_matches": matches}
    namer = Namer(SPEAKER_01="Ada")
    answer = await answered(namer, diarized=diarized, speaker_names={"SPEAKER_00": "Bob"})
    assert (namer.shown, namer.asked) == ([[("Bob", "Hello there."), ("SPEAKER_01", "Hi.")]], [["SPEAKER_01"]])
    assert speakers(answer) == ["Bob", "Bob", "Ada"]
    assert answer["speaker_names"] == {"SPEAKER_00": "Bob", "SPEAKER_01": "Ada"}


async def test_where_all_have_names_nobody_is_asked():
    namer = Namer()
    await answered(namer, speaker_names={"SPEAKER_00": "Sheila", "SPEAKER_01": "Ada"})
    assert namer.shown == []


async def test_where_only_the_named_say_anything_nobody_is_asked():
    silent = {"start": 8.0, "end": 9.0, "speaker": "SPEAKER_02"}
    diarized = {**DIARIZED, "segments": [*DIARIZED["segments"], silent], "num_speakers": 3}
    diarized["speakers"] = [*DIARIZED["speakers"], "SPEAKER_02"]
    namer = Namer(SPEAKER_02="Ada")
    answer = await answered(
        namer, diarized=diarized, repair=False, speaker_names={"SPEAKER_00": "Sheila", "SPEAKER_01": "Bob"}
    )
    assert (namer.shown, answer["speaker_names"]) == ([], {"SPEAKER_00": "Sheila", "SPEAKER_01": "Bob"})


async def test_a_failure_is_a_warning():
    answer = await answered(Namer(error=EndpointError("no such model", endpoint="speaker_naming")))
    assert answer["warnings"] == ["speakers were not named: no such model"]
    assert speakers(answer) == ["SPEAKER_00", "SPEAKER_00", "SPEAKER_01"]


@pytest.mark.parametrize("deadline_s", [10.05, 5.0])
async def test_naming_ends_before_the_deadline(deadline_s):
    namer = Namer(delay_s=60)
    answer = await answered(namer, deadline_s=deadline_s)
    assert answer["warnings"] == ["speakers were not named: there was no answer in the time that was left"]
    assert namer.cancelled or deadline_s < 10
    assert answer["timings"]["total_s"] < 1.0


async def test_without_a_language_model_no_child_is_started():
    with pytest.raises(InvalidInputError, match="SPEAKER_NAMING_URL") as caught:
        await answered(None, error=AssertionError("was started"))
    assert caught.value.param == "name_speakers"
    with pytest.raises(InvalidInputError, match="there are no speakers"):
        await answered(Namer(), diarize=False)


async def test_a_failed_diarization_has_nobody_to_name():
    namer = Namer()
    error = EndpointError("out of memory", endpoint="diarization")
    answer = await answered(namer, error=error, on_diarization_failure="degrade")
    assert (namer.shown, answer["diarization"]) == ([], "failed")


async def test_earlier_words_can_be_named_too():
    answer = await answered(Namer(SPEAKER_01="Ada"), words=HEARD["words"])
    assert speakers(answer) == ["SPEAKER_00", "SPEAKER_00", "Ada"]


async def test_its_time_is_told_and_is_not_the_orchestrators_own():
    seen = []
    timings = (await answered(Namer(delay_s=0.3), on_progress=seen.append))["timings"]
    assert 0.3 <= timings["naming_s"] <= timings["total_s"]
    assert timings["orchestrator_s"] < 0.2
    figures = [part["progress"] for part in seen]
    assert figures == sorted(figures)
    assert seen[-2]["stage"].endswith("naming")
    assert max(figure for figure in figures if figure < 1) <= 0.95
