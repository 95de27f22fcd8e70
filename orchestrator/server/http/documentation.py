"""The OpenAPI document: what every route may refuse, how callers say who they are, how recordings are sent."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel

from orchestrator.server.documents import EditedTranscript
from orchestrator.server.http.access import COOKIE
from orchestrator.server.http.request_fields import OPTIONS, definitions, schema_of, types_in
from orchestrator.server.http.schemas import ErrorAnswer
from orchestrator.server.jobs import Kind

MEANINGS: Mapping[int, str] = MappingProxyType({
    400: "the request is wrong; `param` names the field",
    401: "no API key, or none that is known",
    403: "not from this site, or not by this name of the server",
    404: "no such job, or another caller's",
    409: "not with the job as it is",
    410: "it was erased",
    413: "too large",
    415: "not a type that the server reads",
    416: "no such range",
    422: "what was sent cannot be used",
    429: "too many requests or jobs; see Retry-After",
    500: "the server failed",
    502: "what the server needs for this failed",
    503: "the server is being stopped",
    504: "it took too long",
})  # fmt: skip
ALWAYS = (400, 401, 403, 422, 429, 500, 502)
JOB_FAILED = (413, 415, 422, 504)
SCHEMES = {
    "key": {"type": "http", "scheme": "bearer", "description": "an API key, of `parley keys add`"},
    "cookie": {"type": "apiKey", "in": "cookie", "name": COOKIE, "description": "of POST /api/session"},
}
SCHEMAS = "#/components/schemas/{model}"
ERROR = {"application/json": {"schema": {"$ref": SCHEMAS.format(model="ErrorAnswer")}}}
SIMPLE_TYPES = frozenset({"string", "integer", "number", "boolean"})


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the error answers of a route: those that all have, and `statuses`."""
    described = {status: MEANINGS[status] for status in sorted({*ALWAYS, *statuses})}
    return {status: {"description": meaning, "content": ERROR} for status, meaning in described.items()}


def upload_body(kind: Kind = "transcription") -> dict[str, Any]:
    """Return the documentation of a route that takes a recording: parameters and body."""
    fields = schema_of(kind)
    options = {"type": "string", "description": "a JSON object of request fields, for those that are no simple values"}
    recording = {"type": "string", "format": "binary", "description": "the recording"}
    url = {"type": "string", "pattern": "^https?://", "description": "of the recording, instead of sending it"}
    simple = {name: _as_text(schema) for name, schema in fields.items() if _is_simple(schema)}
    form = {
        "type": "object",
        "properties": {**simple, OPTIONS: options, "file": recording},
        "required": ["file"],
        "additionalProperties": False,
    }
    by_url = {
        "type": "object",
        "properties": {**fields, "url": url},
        "required": ["url"],
        "additionalProperties": False,
    }
    return {
        "parameters": [
            {"name": name, "in": "query", "required": False, "schema": schema} for name, schema in simple.items()
        ],
        "requestBody": {
            "required": True,
            "content": {"multipart/form-data": {"schema": form}, "application/json": {"schema": by_url}},
        },
    }


def json_body(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the documentation of a route that takes a JSON object."""
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": dict(schema)}}}}


def document_of(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI document, made once."""
    if app.openapi_schema is None:
        document = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
        components = document.setdefault("components", {})
        components["securitySchemes"] = SCHEMES
        components["schemas"] = {
            **definitions(),
            **_shared(ErrorAnswer),
            **_shared(EditedTranscript),
            **components.get("schemas", {}),
        }
        # {}: without a key, where the server asks for none
        document["security"] = [{"key": []}, {"cookie": []}, {}]
        app.openapi_schema = document
    return app.openapi_schema


def _shared(model: type[BaseModel]) -> dict[str, Any]:
    """Return the schemas of a model and of those it refers to, by name."""
    schema = model.model_json_schema(ref_template=SCHEMAS)
    return {**schema.pop("$defs", {}), model.__name__: schema}


def _as_text(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema of a field whose value is written as text, which cannot be null."""
    told = [part for part in schema.get("anyOf", [schema]) if part.get("type") != "null"]
    shown = {key: value for key, value in schema.items() if key not in {"anyOf", "default"}}
    return {**shown, **told[0]}


def _is_simple(schema: Mapping[str, Any]) -> bool:
    types = types_in(schema) - {"null"}
    return types <= SIMPLE_TYPES or (types == {"array"} and schema["items"].get("type") in SIMPLE_TYPES)
