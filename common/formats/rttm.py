"""RTTM: who spoke when (NIST RT-09 evaluation plan, appendix A; https://github.com/nryant/dscore#rttm)."""

from collections.abc import Iterable

from common.formats.escape import decimal_seconds, field_name, speaker_fields
from common.formats.options import RenderOptions
from common.timeline import UNDETERMINED, Transcript, Turn, milliseconds


def render_rttm(transcript: Transcript, options: RenderOptions) -> str:
    """Return one line per diarized turn, else per segment with a speaker; turns below 1 ms are left out."""
    turns = transcript.turns or [
        Turn(segment.start, segment.end, segment.speaker) for segment in transcript.segments if segment.speaker
    ]
    uri, names = field_name(options.uri), speaker_fields(transcript)
    lines = []
    for turn in sorted(turns):
        start_ms, end_ms = milliseconds(turn.start), milliseconds(turn.end)
        if end_ms > start_ms:
            times = f"{decimal_seconds(start_ms)} {decimal_seconds(end_ms - start_ms)}"
            lines.append(f"SPEAKER {uri} 1 {times} <NA> <NA> {names[turn.speaker]} <NA> <NA>\n")
    return "".join(lines)


def rttm_of_turns(turns: Iterable[Turn]) -> str:
    """Return the same where there are turns and no words."""
    spoken = Transcript(segments=(), duration_s=0.0, language=UNDETERMINED, diarized=True, turns=tuple(turns))
    return render_rttm(spoken, RenderOptions())
