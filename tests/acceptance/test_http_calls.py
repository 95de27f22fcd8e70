"""The three endpoints by plain HTTP, as RunPod users call them."""

import json

import pytest


def output(response):
    answer = response.json()
    assert answer["status"] == "COMPLETED", answer
    return answer["output"]


def test_diarization_then_transcription_with_its_segments(stack, sample_url):
    spoken = output(stack.post("diarization", "runsync", {"input": {"audio": sample_url}}))
    assert spoken["num_speakers"] == 2
    assert spoken["segments"][0].keys() == {"start", "end", "speaker"}
    assert spoken["exclusive_segments"]
    heard = output(
        stack.post(
            "transcription",
            "runsync",
            {
                "input": {
                    "audio": sample_url,
                    "response_format": "verbose_json",
                    "timestamps": True,
                    "diarization_segments": spoken["segments"],
                }
            },
        )
    )
    by_text = {part["text"]: part["speaker"] for part in heard["segments"]}
    diane = next(speaker for text, speaker in by_text.items() if "Diane" in text)
    sheila = next(speaker for text, speaker in by_text.items() if "Sheila" in text)
    assert {diane, sheila} == {"SPEAKER_00", "SPEAKER_01"}
    assert heard["words"][0].keys() >= {"word", "start", "end", "speaker"}


def test_the_orchestrator_gives_the_same_shape_in_one_call(stack, sample_url):
    asked = {"audio": sample_url, "response_format": "verbose_json", "diarize": True}
    answer = output(stack.post("orchestrator", "runsync", {"input": asked}))
    assert answer["num_speakers"] == 2
    assert answer["segments"][0].keys() >= {"id", "start", "end", "text", "speaker", "words"}
    assert answer["diarization"] == "completed"
    assert "segmentation-3.0" in answer["models"]["diarization"]


def test_plain_json_is_text(stack, sample_url):
    asked = {"audio": sample_url, "response_format": "json", "timestamps": False}
    heard = output(stack.post("transcription", "runsync", {"input": asked}))
    assert "originally from Chicago" in heard["text"]
    assert "segments" not in heard


@pytest.mark.parametrize("endpoint", ["diarization", "transcription", "orchestrator"])
@pytest.mark.parametrize(
    ("job_input", "code"),
    [
        ({"audio": "aGVsbG8=", "foo": 1}, "unknown_field"),
        ({"audio": "bm90IGF1ZGlv" * 20}, "unreadable_audio"),
        ({"audio": "ftp://127.0.0.1/a.wav"}, "bad_audio_url"),
        ({}, "invalid_input"),
    ],
)
def test_a_bad_request_fails_with_its_code(stack, endpoint, job_input, code):
    answer = stack.post(endpoint, "runsync", {"input": job_input}).json()
    assert answer["status"] == "FAILED"
    error = json.loads(answer["error"])
    assert error["code"] == code
    assert "Traceback" not in answer["error"]
