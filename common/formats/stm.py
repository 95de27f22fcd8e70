"""STM: who said what when (NIST OpenASR20 evaluation plan; no label field, which not all readers know)."""

from common.formats.escape import UNKNOWN_SPEAKER, decimal_seconds, field_name, scoring_text, speaker_fields
from common.formats.options import RenderOptions
from common.formats.pieces import text_of
from common.timeline import Transcript, milliseconds


def render_stm(transcript: Transcript, options: RenderOptions) -> str:
    """Return one line per segment that has text, by time; words of nobody are `UNKNOWN`'s."""
    uri, names = field_name(options.uri), speaker_fields(transcript)
    lines = []
    for segment in sorted(transcript.segments, key=lambda segment: segment.start):
        speaker = UNKNOWN_SPEAKER if segment.speaker is None else names[segment.speaker]
        times = f"{decimal_seconds(milliseconds(segment.start))} {decimal_seconds(milliseconds(segment.end))}"
        if text := scoring_text(text_of([segment])):
            lines.append(f"{uri} 1 {speaker} {times} {text}\n")
    return "".join(lines)
