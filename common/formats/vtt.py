"""WebVTT (https://www.w3.org/TR/webvtt1/): the speaker as a voice span, `<v Name>`, in every cue."""

from common.formats.cues import Cue, build_cues
from common.formats.escape import clock, speaker_name
from common.formats.options import RenderOptions
from common.timeline import Transcript

_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def render_vtt(transcript: Transcript, options: RenderOptions) -> str:
    """Return the transcript as WebVTT subtitles."""
    return "\n".join(["WEBVTT\n", *map(_block, build_cues(transcript, options.subtitles))])


def _block(cue: Cue) -> str:
    times = f"{clock(cue.start_ms, point='.')} --> {clock(cue.end_ms, point='.')}"
    text = "\n".join(cue.lines).translate(_ESCAPES)
    if cue.speaker is not None:
        text = f"<v {speaker_name(cue.speaker).translate(_ESCAPES)}>{text}</v>"
    return f"{times}\n{text}\n"
