"""Write docs/api.md and docs/configuration.md from the contract and the settings; `make docs` runs it."""

import inspect
import json
import sys
import types
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from common import contract, results  # noqa: E402 - this file is run by its path
from common.errors import ParleyError  # noqa: E402
from common.setting_values import Variable  # noqa: E402
from common.settings import VARIABLES  # noqa: E402
from orchestrator.server.settings import VARIABLES as SERVER_VARIABLES  # noqa: E402

REQUESTS = {
    "Diarization": contract.DiarizationRequest,
    "Transcription": contract.TranscriptionRequest,
    "Orchestrator and combined worker": contract.OrchestrationRequest,
}
RESULTS = {
    "Diarization": results.DiarizationResult,
    "Transcription, `verbose_json`": results.VerboseTranscription,
    "Orchestrator and combined worker, `verbose_json`": results.OrchestrationResult,
}
PARTS = (
    contract.SubtitleOptions,
    contract.TurnIn,
    contract.SpanIn,
    contract.WordIn,
    contract.KnownSpeaker,
    results.SegmentOut,
    results.WordOut,
    results.TurnOut,
    results.CoverageOut,
    results.StretchOut,
    results.SpeakerMatch,
    results.CostOut,
)
API_HEAD = """# The API

Every endpoint takes `{"input": {…}}` by RunPod's `/run` and `/runsync`. This page is written from
`common/contract.py` and `common/results.py` by `make docs`; a test keeps the two together.

An unknown field is refused by name. `audio` is an http(s) URL, a data URI, or base64. Times are seconds.
"""
FORMATS = """## Answers

`response_format` decides the shape. `json` gives `{"text"}`, `verbose_json` the tables below, `diarized_json` OpenAI's
diarized shape; `text`, `srt`, `vtt`, `tsv`, `rttm`, `stm` and `ctm` give
`{"text": "<the document>", "format": "<its name>"}`. Every answer also names `model`, `device` and `request_id` and has
`timings` (seconds) and `warnings`, `coverage` where speech was looked for, and `words_without_speaker` where speakers
were; the orchestrator's also has `models` and `diarization`, `embeddings`, `speaker_matches` and `speaker_names` where
they were asked for, and `cost` where prices are set. The diarization endpoint knows `json`, the table below, and
`rttm`, which has `text` and `format` in place of `segments` and `exclusive_segments`.

While a job runs, `output` of `/status` is `{"stage", "progress"}`, a fraction from 0 to 1; the orchestrator's also has
the fractions of `diarization`, `transcription` and, once they begin, `transcription_repair` and `naming`.

An answer above the platform's limit (10 MB of JSON after `/run`, 20 after `/runsync`) comes packed, with `model`,
`device`, `timings` and `warnings` readable. Parley's clients unpack it; by plain HTTP it is:

```python
how = output["packed"]
content = base64.b64decode(how["data"]) if "data" in how else requests.get(how["url"]).content
result = json.loads(gzip.decompress(content))
```
"""
ERRORS = """## Errors

A failed job's `error` is one JSON string: `{"code", "message", "param", "retryable"}`, with `endpoint` where a
child failed.

| code | HTTP status | retryable | meaning |
|---|---|---|---|
"""
CONFIGURATION_HEAD = """# Configuration

Environment variables, read once at the start of a process. `PARLEY_PROFILE=laptop` changes the defaults to those in the
last column; `parley up`, `serve`, `demo` and `--local` start their workers with it unless you set another. Written
from `common/settings.py` and `orchestrator/server/settings.py` by `make docs`; a test keeps them together.

"""
VARIABLE_TABLE = "| variable | meaning | default | laptop |\n|---|---|---|---|\n"
SERVER_HEAD = """
## The web server

"There" is DATA_FOLDER. The web server also reads what is above; it lets audio URLs point at private addresses only
where ALLOW_PRIVATE_ADDRESSES says so.

"""


def type_name(annotation: Any) -> str:  # noqa: ANN401, PLR0911 - an annotation can be anything
    """Return an annotation as a reader of JSON would call it."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return " \\| ".join(f"`{value}`" for value in arguments)
    if origin in (Union, types.UnionType):
        return " or ".join("null" if part is types.NoneType else type_name(part) for part in arguments)
    if origin is list:
        return f"list of {type_name(arguments[0])}"
    if origin is dict:
        return f"object of {type_name(arguments[1])}"
    if hasattr(annotation, "__metadata__"):
        return type_name(arguments[0])
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return f"[{annotation.__name__}](#{annotation.__name__.lower()})"
    return {"str": "string", "float": "number", "int": "integer", "bool": "boolean"}.get(annotation.__name__, "object")


def default_text(field: FieldInfo) -> str:
    """Return what a field is when it is left out."""
    if field.default is PydanticUndefined:
        return "required"
    return "" if field.default is None else f"`{json.dumps(field.default)}`"


def bounds(schema: dict[str, Any]) -> str:
    """Return the range of a number, as a reader would write it."""
    for part in (schema, *schema.get("anyOf", ())):
        if "minimum" in part and "maximum" in part:
            return f"{part['minimum']:g} to {part['maximum']:g}"
    return ""


def field_table(model: type[BaseModel]) -> Iterator[str]:
    """Yield a Markdown table of a model's fields."""
    yield "| field | type | default | meaning |"
    yield "|---|---|---|---|"
    schema = model.model_json_schema(by_alias=False)["properties"]
    for name, field in sorted(model.model_fields.items(), key=lambda item: not item[1].is_required()):
        meaning = ", ".join(filter(None, (field.description, bounds(schema[name]))))
        yield f"| `{name}` | {type_name(field.annotation)} | {default_text(field)} | {meaning} |"


def sections(title: str, models: dict[str, type[BaseModel]]) -> Iterator[str]:
    """Yield one section a model."""
    yield f"## {title}\n"
    for name, model in models.items():
        yield f"### {name}\n\n{inspect.getdoc(model)}\n"
        yield from field_table(model)
        yield ""


def error_kinds(kind: type[ParleyError]) -> Iterator[type[ParleyError]]:
    """Yield an error class and all below it."""
    yield kind
    for child in kind.__subclasses__():
        if child.__module__ == kind.__module__:
            yield from error_kinds(child)


def error_table() -> Iterator[str]:
    """Yield a row per error code."""
    for kind in error_kinds(ParleyError):
        retryable = "yes" if kind.retryable else "no"
        yield f"| `{kind.code}` | {kind.http_status} | {retryable} | {(kind.__doc__ or '').splitlines()[0]} |"


def api_page() -> str:
    """Return docs/api.md."""
    lines = [API_HEAD, *sections("Requests", REQUESTS), FORMATS, *sections("Results", RESULTS)]
    lines += [*sections("Parts", {model.__name__: model for model in PARTS}), ERRORS + "\n".join(error_table())]
    return "\n".join(lines) + "\n"


def configuration_page() -> str:
    """Return docs/configuration.md."""
    return CONFIGURATION_HEAD + variable_table(VARIABLES) + SERVER_HEAD + variable_table(SERVER_VARIABLES)


def variable_table(variables: Iterable[Variable[Any]]) -> str:
    """Return the table of some environment variables."""
    return VARIABLE_TABLE + "".join(f"{row}\n" for row in variable_rows(variables))


def variable_rows(variables: Iterable[Variable[Any]]) -> Iterator[str]:
    """Yield a row per environment variable."""
    for variable in variables:
        laptop = "" if variable.laptop is None else f"`{_plain(variable.laptop)}`"
        default = f"`{_plain(variable.default)}`" if variable.default != "" else ""
        yield f"| `{variable.name}` | {variable.meaning.replace('|', chr(92) + '|')} | {default} | {laptop} |"


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


PAGES = {"docs/api.md": api_page, "docs/configuration.md": configuration_page}


def main() -> None:
    """Write all pages."""
    for name, page in PAGES.items():
        (ROOT / name).write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
