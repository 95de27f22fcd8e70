"""A job's request in the form's way: texts, some of which say numbers, lists or objects."""

import json
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Any, NoReturn
from urllib.parse import urlsplit

from common.audio.addresses import is_public
from common.audio.download import parse_url
from common.audio.fetch import SCHEME
from common.contract import DiarizationRequest, OrchestrationRequest, parse_request
from common.errors import AudioUrlError, InvalidInputError, UnknownFieldError
from orchestrator.local.http_support import parse_object
from orchestrator.server.jobs import Kind

FormFields = Mapping[str, list[str]]  # the text fields of a form, or the query's

REQUESTS: Mapping[Kind, type[DiarizationRequest] | type[OrchestrationRequest]] = MappingProxyType(
    {"transcription": OrchestrationRequest, "diarization": DiarizationRequest}
)
OPTIONS = "options"
# The recording comes by other ways; formats are asked for with the result; the rest is said in headers, or by events.
NOT_FIELDS = frozenset({
    "audio", "audio_base64", "words", "response_format", "timestamps", "request_id", "idempotency_key", "webhook",
})  # fmt: skip
BOOLEANS = MappingProxyType({"true": True, "1": True, "false": False, "0": False})
PLACEHOLDER = "https://localhost/"  # stands for the recording while the other fields are checked


def fields_of(form: FormFields, *, kind: Kind = "transcription") -> dict[str, Any]:
    """Return the request fields that a form says by their own names, and by the JSON object in `options`.

    Raises UnknownFieldError, and InvalidInputError for a text that is not what its field needs.
    """
    options: dict[str, Any] = {}
    for text in form.get(OPTIONS, ()):
        options |= _object(text)
    texts = {name: values for name, values in form.items() if name != OPTIONS}
    if both := sorted(options.keys() & texts.keys()):
        raise InvalidInputError(f"{both[0]} is given twice: as a field, and in {OPTIONS}", param=both[0])
    refuse_other_fields({*options, *texts}, kind=kind)
    return {**options, **{name: _value(kind, name, values) for name, values in texts.items()}}


def checked(fields: Mapping[str, Any], *, kind: Kind, allow_private: bool) -> dict[str, Any]:
    """Return `fields` if a request may have them; raises as parse_request, and as check_url for those of voices."""
    request = parse_request(REQUESTS[kind], {**fields, "audio": PLACEHOLDER})
    for known in request.known_speakers:
        if known.audio is not None and SCHEME.match(known.audio.strip()) and known.audio.strip()[:5].lower() != "data:":
            check_url(known.audio, allow_private=allow_private, param="known_speakers")
    return dict(fields)


def check_url(url: str, *, allow_private: bool, param: str = "url") -> str:
    """Return the URL of a recording; raises AudioUrlError for one that no server would fetch.

    Names are looked up when the recording is fetched, where every address is checked again.
    """
    if urlsplit(url.strip()).scheme.lower() not in {"http", "https"}:
        raise AudioUrlError("the URL of a recording begins with http:// or https://", param=param)
    host = (parse_url(url.strip()).host or "").rstrip(".").lower()
    if not allow_private and _is_private(host):
        raise AudioUrlError("the audio URL points at a private address, which the server does not fetch", param=param)
    return url.strip()


def refuse_other_fields(names: set[str], *, kind: Kind) -> None:
    """Raise UnknownFieldError for a name that no field of a job has."""
    known = set(REQUESTS[kind].model_fields) - NOT_FIELDS
    if unknown := sorted(names - known):
        shown = ", ".join(sorted(known | {OPTIONS}))
        raise UnknownFieldError(f"unknown field {unknown[0]!r}; known fields: {shown}", param=unknown[0])


@cache
def schema_of(kind: Kind) -> Mapping[str, dict[str, Any]]:
    """Return the JSON schema of each field of a job."""
    properties = _schema(kind)["properties"]
    return {name: schema for name, schema in properties.items() if name not in NOT_FIELDS}


def definitions() -> dict[str, Any]:
    """Return the JSON schemas that those of the fields refer to."""
    found: dict[str, Any] = _schema("transcription")["$defs"]
    return {name: schema for name, schema in found.items() if name != "WordIn"}  # of `words`, one of NOT_FIELDS


@cache
def _schema(kind: Kind) -> dict[str, Any]:
    return REQUESTS[kind].model_json_schema(ref_template="#/components/schemas/{model}")


def _value(kind: Kind, name: str, values: list[str]) -> object:
    types = types_in(schema_of(kind)[name])
    if "array" in types and not values[0].lstrip().startswith("["):
        return values
    if len(values) > 1:
        raise InvalidInputError(f"{name} is given twice", param=name)
    text = values[0].strip()
    if "string" in types:
        return text
    if "boolean" in types:
        return BOOLEANS[text.lower()] if text.lower() in BOOLEANS else _refuse(name, "true or false")
    return _json(name, text)


def types_in(schema: Mapping[str, Any]) -> set[str]:
    """Return the JSON types that a field's value may have."""
    return {part.get("type", "object") for part in schema.get("anyOf", [schema])}


def _json(name: str, text: str) -> object:
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        _refuse(name, "JSON")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _object(text: str) -> dict[str, Any]:
    try:
        return parse_object(text.encode())
    except InvalidInputError:
        _refuse(OPTIONS, "a JSON object of request fields")


def _refuse(name: str, expected: str) -> NoReturn:
    raise InvalidInputError(f"{name}: expected {expected}", param=name)


def _is_private(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return not is_public(host)
    except ValueError:
        return False
