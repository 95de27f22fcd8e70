"""`json`, as OpenAI's: the text and nothing else."""

from typing import Any

from common.formats.options import RenderOptions
from common.timeline import Transcript


def render_json(transcript: Transcript, options: RenderOptions) -> dict[str, Any]:  # noqa: ARG001 - shape of all formats
    """Return `{"text"}`."""
    return {"text": transcript.text}
