"""SubRip: the speaker as `[Name]` before the text, in every cue."""

from common.formats.cues import Cue, build_cues
from common.formats.escape import clock, speaker_name
from common.formats.options import RenderOptions
from common.timeline import Transcript

# SubRip has no escapes: players take these for tags and line breaks, so they become look-alikes.
_MARKUP = str.maketrans({"<": "‹", ">": "›", "{": "(", "}": ")", "\\": "∖"})
_LABEL = str.maketrans({"[": "(", "]": ")"})


def render_srt(transcript: Transcript, options: RenderOptions) -> str:
    """Return the transcript as SubRip subtitles."""
    cues = build_cues(transcript, options.subtitles, label=_label)
    return "\n".join(_block(number, cue) for number, cue in enumerate(cues, start=1))


def _label(speaker: str) -> str:
    return f"[{speaker_name(speaker).translate(_LABEL)}]"


def _block(number: int, cue: Cue) -> str:
    times = f"{clock(cue.start_ms, point=',')} --> {clock(cue.end_ms, point=',')}"
    lines = (line.translate(_MARKUP) for line in cue.lines)
    return "\n".join([str(number), times, *lines, ""])
