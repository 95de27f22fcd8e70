"""`diarized_json`, as OpenAI's `TranscriptionDiarized`."""

from typing import Any

from common.formats.escape import UNKNOWN_SPEAKER, rounded_seconds
from common.formats.options import RenderOptions
from common.timeline import Segment, Transcript


def render_diarized_json(transcript: Transcript, options: RenderOptions) -> dict[str, Any]:  # noqa: ARG001 - shape of all formats
    """Return `{task, duration, text, segments}`; OpenAI's type wants a name, so nobody is `UNKNOWN`."""
    return {
        "task": "transcribe",
        "duration": rounded_seconds(transcript.duration_s),
        "text": transcript.text,
        "segments": [_segment(segment) for segment in transcript.segments],
    }


def _segment(segment: Segment) -> dict[str, Any]:
    return {
        "type": "transcript.text.segment",
        "id": str(segment.id),
        "start": rounded_seconds(segment.start),
        "end": rounded_seconds(segment.end),
        "speaker": UNKNOWN_SPEAKER if segment.speaker is None else segment.speaker,
        "text": segment.text,
    }
