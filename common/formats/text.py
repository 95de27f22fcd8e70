"""Plain text: one line per speaker's turn, `SPEAKER_00: …`; without speakers, one line."""

from itertools import groupby

from common.formats.escape import UNKNOWN_SPEAKER, speaker_name
from common.formats.options import RenderOptions
from common.formats.pieces import text_of
from common.timeline import Transcript


def render_text(transcript: Transcript, options: RenderOptions) -> str:  # noqa: ARG001 - shape of all formats
    """Return the words; segments of one speaker in a row make one paragraph, words of nobody are `UNKNOWN`'s."""
    if not transcript.diarized:
        return text_of(transcript.segments)
    paragraphs = []
    for speaker, segments in groupby(transcript.segments, key=lambda segment: segment.speaker):
        name = UNKNOWN_SPEAKER if speaker is None else speaker_name(speaker)
        if text := text_of(list(segments)):
            paragraphs.append(f"{name}: {text}")
    return "\n".join(paragraphs)
