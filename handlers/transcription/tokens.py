"""Tokens with frames into words with times."""

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from common.timeline import Word

WORD_START = "▁"  # SentencePiece writes the space before a word as this
UNKNOWN = "<unk>"  # what the model has no letters for
SYMBOLS = "%&@#"  # spoken, although Unicode calls them punctuation


@dataclass(frozen=True, slots=True)
class Token:
    """A SentencePiece piece, the encoder frame in which it was heard, how many frames it lasts, its probability."""

    piece: str
    frame: int
    frames: int
    probability: float


def spelled(tokens: Iterable[Token], *, frame_s: float, duration_s: float) -> tuple[Word, ...]:
    """Return the words that `tokens` spell, with times in [0, `duration_s`] seconds.

    A word lasts from its first to its last token that is no punctuation: a full stop is often heard only in the pause
    after the word. Its confidence is that of its least probable token. Scripts without spaces get one word per
    character. Punctuation that is no part of a word is added to the word before.
    """
    words: list[Word] = []
    for group in _grouped(tokens):
        text = "".join(token.piece for token in group)
        spoken = [token for token in group if not is_punctuation(token.piece.removeprefix(WORD_START))]
        if spoken:
            words.append(_word(text, spoken, frame_s=frame_s, duration_s=duration_s))
        elif words:
            words[-1] = _extended(words[-1], text.replace(WORD_START, ""))
    return tuple(words)


def is_punctuation(text: str) -> bool:
    """Tell whether nothing in `text` is spoken."""
    return all(unicodedata.category(char)[0] in "PZ" and char not in SYMBOLS for char in text)


def _grouped(tokens: Iterable[Token]) -> list[list[Token]]:
    groups: list[list[Token]] = []
    for token in tokens:
        if token.piece == UNKNOWN:
            continue
        if not groups or token.piece.startswith(WORD_START) or _is_word_by_itself(token.piece):
            groups.append([])
        groups[-1].append(token)
    return groups


def _is_word_by_itself(piece: str) -> bool:
    """Tell whether the piece is in a script without spaces (Chinese, Japanese)."""
    if not piece or is_punctuation(piece) or unicodedata.name(piece[0], "").startswith("HANGUL"):  # Korean has spaces
        return False
    return unicodedata.east_asian_width(piece[0]) == "W"


def _word(text: str, spoken: list[Token], *, frame_s: float, duration_s: float) -> Word:
    start = min(spoken[0].frame * frame_s, duration_s)
    end = max(token.frame + max(token.frames, 1) for token in spoken) * frame_s
    return Word(
        text=text.removeprefix(WORD_START),
        start=start,
        end=min(max(end, start), duration_s),
        confidence=min(token.probability for token in spoken),
        space_before=text.startswith(WORD_START),
    )


def _extended(word: Word, text: str) -> Word:
    return Word(
        text=word.text + text,
        start=word.start,
        end=word.end,
        confidence=word.confidence,
        space_before=word.space_before,
    )
