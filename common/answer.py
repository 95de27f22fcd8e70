"""Words and turns into the answer a caller asked for: assign speakers, cut segments, render the format."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from common.contract import SubtitleOptions, TranscriptionFields
from common.formats import RenderOptions, render
from common.formats.cues import SubtitleLimits
from common.segments import segment_words
from common.speakers import assign_speakers
from common.timeline import Transcript, Turn, Word


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What transcription found: words in order, the language, the length of the audio in seconds."""

    words: tuple[Word, ...]
    language: str
    duration_s: float


def build_answer(heard: Heard, *, turns: Sequence[Turn] | None, fields: TranscriptionFields) -> dict[str, Any]:
    """Return the result in `fields.response_format`; `turns` of None means that speakers were not asked for."""
    words = heard.words if turns is None else assign_speakers(heard.words, turns)
    transcript = Transcript(
        segments=segment_words(words),
        duration_s=heard.duration_s,
        language=heard.language,
        diarized=turns is not None,
        turns=tuple(turns or ()),
    )
    return render(transcript, fields.response_format, options=_render_options(fields))


def _render_options(fields: TranscriptionFields) -> RenderOptions:
    layout = fields.subtitles or SubtitleOptions()
    return RenderOptions(
        timestamps=fields.timestamps,
        subtitles=SubtitleLimits(
            max_line_chars=layout.max_line_chars,
            max_lines=layout.max_lines,
            max_cue_s=layout.max_cue_s,
            speaker_labels=layout.speaker_labels,
        ),
    )
