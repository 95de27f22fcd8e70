"""Tab-separated values as Whisper writes them, in milliseconds, with a column for the speaker."""

from common.formats.escape import speaker_name
from common.formats.options import RenderOptions
from common.formats.pieces import text_of
from common.timeline import Segment, Transcript, milliseconds

# Readers of CSV take a double quote for the start of a field that may hold tabs and line breaks.
_QUOTES = str.maketrans({'"': "'"})


def render_tsv(transcript: Transcript, options: RenderOptions) -> str:  # noqa: ARG001 - shape of all formats
    """Return a header and one row per segment that has text; the speaker is empty where unknown."""
    rows = [_row(segment) for segment in transcript.segments if text_of([segment])]
    return "".join(f"{row}\n" for row in ["start\tend\tspeaker\ttext", *rows])


def _row(segment: Segment) -> str:
    speaker = "" if segment.speaker is None else speaker_name(segment.speaker)
    times = f"{milliseconds(segment.start)}\t{milliseconds(segment.end)}"
    return f"{times}\t{speaker}\t{text_of([segment])}".translate(_QUOTES)
