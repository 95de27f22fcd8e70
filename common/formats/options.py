"""What a caller may choose about a document."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class SubtitleLimits:
    """How cues of `srt` and `vtt` are laid out; a label counts in the line length where it is shown as text."""

    max_line_chars: int = 42
    max_lines: int = 2
    max_cue_s: float = 7.0
    min_cue_s: float = 0.7  # shorter cues stay on screen this long if nothing follows
    speaker_labels: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderOptions:
    """What all formats are told; each uses what it needs."""

    uri: str = "audio"  # names the recording in rttm, stm and ctm
    timestamps: bool = True  # word times in verbose_json
    speaker_confidence: bool = False  # and overlap, of words in verbose_json
    subtitles: SubtitleLimits = field(default_factory=SubtitleLimits)
