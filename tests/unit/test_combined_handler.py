import pytest

from common.contract import OrchestrationRequest
from common.errors import EngineError, JobCancelledError
from common.results import OrchestrationResult
from common.settings import load_settings
from handlers.combined import handler
from handlers.combined.handler import transcribe_and_diarize
from handlers.diarization.fake import FakeDiarization
from handlers.transcription.fake import FakeTranscription
from tests.support.audio_jobs import tone


def no_tick(stage, fraction):
    pass


def result(diarization=None, **fields):
    request = OrchestrationRequest(**{"audio": "x", "response_format": "verbose_json", **fields})
    return transcribe_and_diarize(FakeTranscription(), diarization or FakeDiarization(), request, tone(2.0), no_tick)


def speakers(answer):
    return [word.get("speaker", "not asked") for word in answer["words"]]


def test_the_result_is_the_orchestrators():
    answer = result(return_embeddings=True)
    checked = OrchestrationResult.model_validate({**answer, "timings": {}})
    assert speakers(answer) == ["SPEAKER_00", "SPEAKER_00", "SPEAKER_01", "SPEAKER_01"]
    assert checked.diarization == "completed"
    assert [turn.speaker for turn in checked.diarization_segments] == ["SPEAKER_00", "SPEAKER_01"]
    assert checked.models == {"transcription": "fake transcription", "diarization": "fake diarization"}
    assert checked.embeddings == {"SPEAKER_00": [0.0, 1.0], "SPEAKER_01": [1.0, 1.0]}


def test_the_number_of_speakers_reaches_the_engine():
    assert set(speakers(result(num_speakers=1))) == {"SPEAKER_00"}


@pytest.mark.parametrize(
    ("fields", "halves"),
    [
        ({}, [0.0, 0.1125, 0.225, 0.3375, 0.45, 0.9]),  # the rest is for speech to be decoded again
        ({"repair": False}, [0.0, 0.125, 0.25, 0.375, 0.5, 1.0]),
        ({"diarize": False}, [0, 0.25, 0.5, 0.75]),
    ],
)
def test_progress_is_that_of_both_models(fields, halves):
    ticks = []
    request = OrchestrationRequest(audio="x", **fields)
    transcribe_and_diarize(
        FakeTranscription(), FakeDiarization(), request, tone(2.0), lambda _, fraction: ticks.append(fraction)
    )
    assert ticks == halves


def test_both_models_are_found_before_one_is_loaded(monkeypatch):
    settings = load_settings({"PARLEY_PROFILE": "laptop", "WHISPER_MODEL_SIZE": "huge"})
    monkeypatch.setattr(handler, "settings_of_process", lambda: settings)
    monkeypatch.setattr(handler, "find_diarization", lambda _settings: lambda: pytest.fail("loaded"))
    with pytest.raises(SystemExit) as caught:
        handler.main()
    assert caught.value.code == 78


def test_without_diarization_its_engine_is_not_run():
    answer = result(FakeDiarization(error=EngineError("must not run")), diarize=False)
    assert (answer["diarization"], speakers(answer)) == ("not_requested", ["not asked"] * 4)
    assert "diarization_segments" not in answer
    assert answer["models"] == {"transcription": "fake transcription"}


def test_a_failed_diarization_fails_the_job_by_default():
    with pytest.raises(EngineError, match="out of memory"):
        result(FakeDiarization(error=EngineError("out of memory")))


def test_degrade_gives_words_without_speakers_and_says_so():
    answer = result(FakeDiarization(error=EngineError("out of memory")), on_diarization_failure="degrade")
    assert (answer["diarization"], speakers(answer)) == ("failed", ["not asked"] * 4)
    assert answer["warnings"] == ["diarization failed, so that words have no speakers: out of memory"]


def test_a_crash_of_the_diarization_model_degrades_too_without_its_text():
    answer = result(FakeDiarization(error=RuntimeError("CUDA at /root")), on_diarization_failure="degrade")
    (warning,) = answer["warnings"]
    assert warning.endswith("the diarization model failed on this audio; the worker's log has the cause")


def test_a_stopped_job_does_not_degrade():
    with pytest.raises(JobCancelledError):
        result(FakeDiarization(error=JobCancelledError("stopped")), on_diarization_failure="degrade")


def test_warnings_of_both_models_are_kept_once():
    answer = result(FakeDiarization(warnings=("slow", "no GPU")), num_speakers=2)
    assert answer["warnings"] == ["slow", "no GPU"]


def test_plain_formats_carry_the_report_but_not_the_turns():
    answer = result(response_format="srt")
    assert answer["text"].startswith("1\n00:00:00,000 --> ")
    assert answer["diarization"] == "completed"
    assert "diarization_segments" not in answer
