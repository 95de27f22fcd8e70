"""Jobs of the web server and their results for tests, made as the pipeline makes them."""

import json

from common.answer import Heard, orchestrated_answer
from common.contract import OrchestrationRequest, parse_request
from common.timeline import Word
from orchestrator.server.documents import result_document
from orchestrator.server.jobs import Job

WORDS = (
    Word("Do", 0.2, 0.4, 0.91),
    Word("you", 0.4, 0.6, 0.92),
    Word("know", 0.6, 0.9, 0.93),
    Word("Chicago?", 0.9, 1.5, 0.94),
    Word("I", 2.0, 2.1, 0.95),
    Word("live", 2.1, 2.4, 0.96),
    Word("there.", 2.4, 2.8, 0.97),
)
TURNS = (
    {"start": 0.1, "end": 1.6, "speaker": "SPEAKER_00"},
    {"start": 1.90625, "end": 2.9, "speaker": "SPEAKER_01"},
)
DIARIZATION = {"segments": list(TURNS), "exclusive_segments": [], "model": "toy diarization", "device": "cpu"}


def job_of(**changes):
    """A running job of the web server."""
    fields = {
        "id": "j1", "owner": "local", "kind": "transcription", "filename": "talk.wav", "fields": {}, "request_id": "r1",
        "state": "running", "step": "aligning", "progress": 0.9, "created_at": 1.0,
    }  # fmt: skip
    return Job(**{**fields, **changes})


def pipeline_answer(*, words=WORDS, diarization=DIARIZATION, **fields):
    """What the orchestrator answers to a request with `fields`."""
    request = parse_request(OrchestrationRequest, {"audio": "x", "diarize": diarization is not None, **fields})
    heard = Heard(words=words, language="en", duration_s=30.0)
    transcription = {"model": "toy", "device": "cpu", "warnings": []}
    answer = orchestrated_answer(request, heard=heard, transcription=transcription, diarization=diarization)
    return {**answer, "timings": {"total_s": 1.5, "merge_s": 0.25}}


def stored_result(*, job=None, **fields):
    """What the web server keeps of such an answer, read back from its file."""
    document = result_document(job or job_of(), pipeline_answer(response_format="verbose_json", **fields))
    return json.loads(json.dumps(document, allow_nan=False))


def edits_of(result, **speakers):
    """The edits of a reader who changed nothing but names."""
    segments = [
        {
            "speaker": segment.get("speaker"),
            "words": [
                {key: word[key] for key in ("word", "start", "end", "space_before", "confidence") if key in word}
                for word in segment["words"]
            ],
        }
        for segment in result["segments"]
    ]
    return {"segments": segments, "speakers": speakers}
