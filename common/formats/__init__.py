"""A transcript as the document a caller asked for, one file per format."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from common.errors import InvalidInputError
from common.formats.ctm import render_ctm
from common.formats.diarized_json import render_diarized_json
from common.formats.options import RenderOptions, SubtitleLimits
from common.formats.plain_json import render_json
from common.formats.rttm import render_rttm, rttm_of_turns
from common.formats.srt import render_srt
from common.formats.stm import render_stm
from common.formats.text import render_text
from common.formats.tsv import render_tsv
from common.formats.verbose_json import render_verbose_json, transcript_words
from common.formats.vtt import render_vtt
from common.timeline import Transcript

__all__ = [
    "FORMAT_NAMES",
    "JSON_FORMATS",
    "TEXT_FORMATS",
    "RenderOptions",
    "SubtitleLimits",
    "render",
    "rttm_of_turns",
    "transcript_words",
]

JSON_FORMATS: Mapping[str, Callable[[Transcript, RenderOptions], dict[str, Any]]] = MappingProxyType(
    {"json": render_json, "verbose_json": render_verbose_json, "diarized_json": render_diarized_json}
)
TEXT_FORMATS: Mapping[str, Callable[[Transcript, RenderOptions], str]] = MappingProxyType(
    {
        "text": render_text,
        "srt": render_srt,
        "vtt": render_vtt,
        "tsv": render_tsv,
        "rttm": render_rttm,
        "stm": render_stm,
        "ctm": render_ctm,
    }
)
FORMAT_NAMES: tuple[str, ...] = (
    "json", "text", "verbose_json", "diarized_json", "srt", "vtt", "tsv", "rttm", "stm", "ctm",
)  # fmt: skip


def render(transcript: Transcript, response_format: str, options: RenderOptions) -> dict[str, Any]:
    """Return the transcript in `response_format`; text documents come as `{"text": document, "format": name}`.

    Raises InvalidInputError for a name that is not in FORMAT_NAMES.
    """
    if response_format in JSON_FORMATS:
        return JSON_FORMATS[response_format](transcript, options)
    if response_format in TEXT_FORMATS:
        return {"text": TEXT_FORMATS[response_format](transcript, options), "format": response_format}
    known = ", ".join(FORMAT_NAMES)
    raise InvalidInputError(f"unknown response_format; choose one of {known}", param="response_format")
