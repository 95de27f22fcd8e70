"""What OpenAI's clients ask for, in the words of our own requests.

Shapes as of https://platform.openai.com/docs/api-reference/audio/createTranscription and its client 3.x.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, cast, get_args

from common.errors import InvalidInputError
from orchestrator.server.http.request_fields import FormFields, fields_of

Format = Literal["json", "text", "srt", "verbose_json", "vtt", "diarized_json"]
STREAMED: frozenset[Format] = frozenset({"json", "text", "diarized_json"})
GRANULARITIES = ("word", "segment")
BOOLEANS = {"true": True, "1": True, "false": False, "0": False}
OPENAIS = frozenset({  # what is no field of ours; `chunking_strategy[type]` and the like as well
    "model", "response_format", "language", "languages", "prompt", "temperature", "timestamp_granularities", "include",
    "chunking_strategy", "stream", "keywords", "known_speaker_names", "known_speaker_references",
})  # fmt: skip
SPEAKERS_NEEDED_BY = frozenset({  # of our own fields
    "num_speakers", "min_speakers", "max_speakers", "known_speakers", "speaker_names", "name_speakers",
})  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request of OpenAI's: the form of its answer, and our request fields.

    `granularities` are those of times in `verbose_json`; `without_effect` names what was given in vain.
    """

    fields: Mapping[str, Any]
    response_format: Format
    stream: bool = False
    granularities: frozenset[str] = frozenset({"segment"})
    without_effect: tuple[str, ...] = ()

    @property
    def speakers(self) -> bool:
        """Tell whether it asks who speaks."""
        return bool(self.fields["diarize"])


@dataclass(slots=True)
class AskedByForm:
    """Reads the form when it has arrived, and keeps what it asks for."""

    asked: Asked | None = field(default=None)

    def read(self, form: FormFields) -> dict[str, Any]:
        """Return our request fields."""
        self.asked = asked_of_form(form)
        return dict(self.asked.fields)

    @property
    def known(self) -> Asked:
        """Return what the form asks for; raises InvalidInputError where none arrived."""
        if self.asked is None:
            raise InvalidInputError("send a multipart form with `file` and `model`", param="file")
        return self.asked


def asked_of_form(form: FormFields) -> Asked:
    """Return what a form asks for; raises InvalidInputError naming the field that is wrong.

    Besides OpenAI's fields there may be our own, such as `num_speakers`. Lists are named as OpenAI's clients do,
    `include[]`, or plainly; empty fields are as good as none.
    """
    given = _plain(form)
    texts = {name: values for name, values in given.items() if name.partition("[")[0] in OPENAIS}
    own = fields_of({name: values for name, values in given.items() if name not in texts})
    model = _one(texts, "model")
    if model is None:
        raise InvalidInputError("model is missing; any name will do, see /v1/models", param="model")
    response_format, stream = _format(texts), _stream(texts)
    if stream and response_format not in STREAMED:
        raise InvalidInputError(f"{response_format} is not streamed; leave stream out", param="stream")
    _check_temperature(texts)
    _refuse_logprobs(texts)
    voices = _known_speakers(texts)
    needed = SPEAKERS_NEEDED_BY & own.keys() or voices or "diarize" in model.lower()
    fields = {
        "diarize": bool(needed) or response_format == "diarized_json",
        **own,
        **_language(texts),
        **({"hotwords": [*own.get("hotwords", ()), *texts["keywords"]]} if "keywords" in texts else {}),
        **({"known_speakers": voices} if voices else {}),
    }
    return Asked(
        fields=fields,
        response_format=response_format,
        stream=stream,
        granularities=_granularities(texts, response_format),
        without_effect=_without_effect(texts),
    )


def _plain(form: FormFields) -> dict[str, list[str]]:
    plain: dict[str, list[str]] = {}
    for name, values in form.items():
        kept = [value for value in values if value.strip()]
        if kept:
            plain.setdefault(name.removesuffix("[]"), []).extend(kept)
    return plain


def _one(texts: Mapping[str, Sequence[str]], name: str) -> str | None:
    values = texts.get(name, ())
    if len(values) > 1:
        raise InvalidInputError(f"{name} is given twice", param=name)
    return values[0].strip() if values else None


def _format(texts: Mapping[str, Sequence[str]]) -> Format:
    name = _one(texts, "response_format") or "json"
    if name not in get_args(Format):
        raise InvalidInputError(
            f"response_format is none of {', '.join(get_args(Format))}; more formats are at /api/results",
            param="response_format",
        )
    return cast("Format", name)


def _stream(texts: Mapping[str, Sequence[str]]) -> bool:
    text = (_one(texts, "stream") or "false").lower()
    if text not in BOOLEANS:
        raise InvalidInputError("stream: expected true or false", param="stream")
    return BOOLEANS[text]


def _check_temperature(texts: Mapping[str, Sequence[str]]) -> None:
    text = _one(texts, "temperature") or "0"
    try:
        valid = 0 <= float(text) <= 1
    except ValueError:
        valid = False
    if not valid:
        raise InvalidInputError(
            "temperature: expected a number from 0 to 1; it has no effect here", param="temperature"
        )


def _refuse_logprobs(texts: Mapping[str, Sequence[str]]) -> None:
    if "include" in texts:
        raise InvalidInputError(
            "include: there are no log probabilities of tokens here; the words of verbose_json have a confidence",
            param="include",
        )


def _known_speakers(texts: Mapping[str, Sequence[str]]) -> list[dict[str, str]]:
    names, voices = texts.get("known_speaker_names", ()), texts.get("known_speaker_references", ())
    if len(names) != len(voices):
        raise InvalidInputError(
            f"there are {len(names)} known_speaker_names and {len(voices)} known_speaker_references; give a recording "
            "of each one's voice, in the same order",
            param="known_speaker_references" if len(voices) < len(names) else "known_speaker_names",
        )
    return [{"name": name, "audio": voice} for name, voice in zip(names, voices, strict=True)]


def _language(texts: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Return the language that is said; several possible ones say none."""
    possible = texts.get("languages", ())
    language = _one(texts, "language") or (possible[0].strip() if len(possible) == 1 else None)
    return {} if language is None else {"language": language}


def _granularities(texts: Mapping[str, Sequence[str]], response_format: Format) -> frozenset[str]:
    name = "timestamp_granularities"
    asked = frozenset(text.strip() for text in texts.get(name, ())) or frozenset({"segment"})
    if not asked.issubset(GRANULARITIES):
        raise InvalidInputError(f"{name} are word and segment", param=name)
    if "word" in asked and response_format != "verbose_json":
        raise InvalidInputError(f"{name}: times of words need response_format verbose_json", param=name)
    return asked


def _without_effect(texts: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    several = len(texts.get("languages", ())) > 1 or ("languages" in texts and "language" in texts)
    return (*(("prompt",) if "prompt" in texts else ()), *(("languages",) if several else ()))
