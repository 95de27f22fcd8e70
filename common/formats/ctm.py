"""CTM: single words and when (NIST OpenASR20 evaluation plan).

The format has no place for a speaker and scorers ignore the channel, so speakers are in `stm` and `rttm` only.
"""

from common.formats.escape import decimal_seconds, field_name, finite_confidence, scoring_text
from common.formats.options import RenderOptions
from common.formats.pieces import Piece, pieces, words_of
from common.timeline import Transcript


def render_ctm(transcript: Transcript, options: RenderOptions) -> str:
    """Return one line per printed word, by time; a word with a space inside gives two."""
    uri = field_name(options.uri)
    words = [word for segment in transcript.segments for word in words_of(segment)]
    printed = (piece for word in words for piece in pieces(word))
    return "".join(f"{uri} 1 {_fields(piece)}\n" for piece in sorted(printed, key=lambda piece: piece.start_ms))


def _fields(piece: Piece) -> str:
    times = f"{decimal_seconds(piece.start_ms)} {decimal_seconds(piece.end_ms - piece.start_ms)}"
    confidence = finite_confidence(piece.confidence)
    return f"{times} {scoring_text(piece.text)}" + ("" if confidence is None else f" {confidence:.4f}")
