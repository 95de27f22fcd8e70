"""Make any text and any number fit a line of a file: no control characters, no line breaks, whole milliseconds."""

import math

from common.timeline import Transcript, milliseconds

UNKNOWN_SPEAKER = "UNKNOWN"  # stands for "nobody known" where a format must name somebody

_CONTROLS = (*range(0x20), *range(0x7F, 0xA0))
_SURROGATES = range(0xD800, 0xE000)  # cannot be written as UTF-8
_BYTE_ORDER_MARK = 0xFEFF  # readers drop it at the start of a file
_PRINTABLE: dict[int, str | None] = {
    **dict.fromkeys(_CONTROLS, " "),
    **dict.fromkeys(_SURROGATES, "\ufffd"),
    _BYTE_ORDER_MARK: None,
}
_SCORING = str.maketrans({"<": "‹", ">": "›", "{": "[", "}": "]"})  # sclite: <label>, {alternative / words}
_NAME = str.maketrans(dict.fromkeys(" /\\<>;", "_"))


def flat(text: str) -> str:
    """Return the text on one line: controls and runs of white space become one space, none at either end."""
    return " ".join(text.translate(_PRINTABLE).split())


def speaker_name(speaker: str) -> str:
    """Return a speaker's label on one line, never empty."""
    return flat(speaker) or "_"


def field_name(text: str) -> str:
    """Return a label as one field of RTTM, STM or CTM: spaces, slashes, angle brackets and semicolons become `_`."""
    return flat(text).translate(_NAME) or "_"


def speaker_fields(transcript: Transcript) -> dict[str, str]:
    """Return each speaker's field; labels that would look the same are numbered, so that none are merged."""
    spoken = {segment.speaker for segment in transcript.segments if segment.speaker is not None}
    fields: dict[str, str] = {}
    taken: set[str] = set()
    for label in sorted(spoken.union(transcript.speakers)):
        name, number = field_name(label), 2
        while name in taken:
            name, number = f"{field_name(label)}_{number}", number + 1
        taken.add(name)
        fields[label] = name
    return fields


def scoring_text(text: str) -> str:
    """Return text for STM and CTM, in which marks that scorers interpret become look-alikes."""
    return flat(text).translate(_SCORING)


def rounded_seconds(seconds: float) -> float:
    """Return a time rounded to milliseconds, for JSON."""
    return milliseconds(seconds) / 1000


def finite_confidence(confidence: float | None) -> float | None:
    """Return a confidence with four decimals, or None for what JSON cannot hold."""
    return round(float(confidence), 4) if confidence is not None and math.isfinite(confidence) else None


def decimal_seconds(time_ms: int) -> str:
    """Return seconds with three decimals, as RTTM, STM and CTM write them."""
    return f"{time_ms // 1000}.{time_ms % 1000:03d}"


def clock(time_ms: int, *, point: str) -> str:
    """Return `HH:MM:SS<point>mmm`; hours grow beyond two digits where needed."""
    seconds, ms = divmod(time_ms, 1000)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}{point}{ms:03d}"
