"""OpenAI's routes in the OpenAPI document: fields of the form, kinds of answers."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, get_args

from orchestrator.server.http.documentation import JOB_FAILED, refusals, upload_body
from orchestrator.server.http.openai_request import GRANULARITIES, Format

NO_EFFECT = "accepted, and has no effect"
TEXT = {"type": "string"}
OWN_FIELDS = ("num_speakers", "min_speakers", "max_speakers")  # every other field of /api/upload, too
FIELDS: Mapping[str, Mapping[str, Any]] = MappingProxyType({
    "file": {"type": "string", "format": "binary", "description": "the recording"},
    "model": {**TEXT, "description": "any name; one with `diarize` in it asks for speakers"},
    "response_format": {"type": "string", "enum": list(get_args(Format)), "default": "json"},
    "language": {**TEXT, "description": "language code, found if left out"},
    "stream": {"type": "boolean", "default": False, "description": "server-sent events: json, text, diarized_json"},
    "timestamp_granularities[]": {
        "type": "array",
        "items": {"type": "string", "enum": list(GRANULARITIES)},
        "description": "what has times in verbose_json",
    },
    "known_speaker_names[]": {"type": "array", "items": TEXT, "description": "who may speak"},
    "known_speaker_references[]": {
        "type": "array", "items": TEXT, "description": "recordings of their voices, as data URIs, in the same order",
    },
    "keywords[]": {"type": "array", "items": TEXT, "description": "names and terms to expect"},
    "languages[]": {"type": "array", "items": TEXT, "description": "one says the language; more have no effect"},
    "prompt": {**TEXT, "description": NO_EFFECT},
    "temperature": {"type": "number", "minimum": 0, "maximum": 1, "description": NO_EFFECT},
    "chunking_strategy": {**TEXT, "description": NO_EFFECT},
})  # fmt: skip
ANSWERS = {
    "application/json": {},
    **{kind: {"schema": TEXT} for kind in ("text/plain", "text/vtt", "application/x-subrip", "text/event-stream")},
}


def transcription_body() -> dict[str, Any]:
    """Return the documentation of the form."""
    ours = upload_body()["requestBody"]["content"]["multipart/form-data"]["schema"]["properties"]
    properties = {**FIELDS, **{name: ours[name] for name in OWN_FIELDS}}
    form = {"type": "object", "properties": properties, "required": ["file", "model"]}
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": form}}}}


def transcription_responses() -> dict[int | str, dict[str, Any]]:
    """Return the documentation of the answers."""
    return {200: {"description": "as response_format and stream ask", "content": ANSWERS}, **refusals(*JOB_FAILED, 503)}
