"""Join the words of overlapping windows: in the audio that two windows share, every word is taken once."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from common.audio.limits import SAMPLE_RATE
from common.chunking import Window
from common.timeline import Word

MAX_SHIFT_S = 0.5  # the two windows put the start of the same word at most this far apart
EDGE_S = 0.4  # what a window hears so near its edge may be half a word
SAME_TIME = 0.5  # of a word: what overlaps more is the same stretch of sound
PAUSE_S = 0.15  # between words: disagreements before and after it are two
SKIP, PAIR = 0.0, 2.0


def stitch(windows: Sequence[Window], heard: Sequence[Sequence[Word]]) -> tuple[Word, ...]:
    """Return the words of all `windows` in order; `heard[i]` are those of window i, on the time axis of the audio.

    Where two windows overlap, their words are aligned by text and time. A word both heard is taken once, from the
    window in whose core it is; where they heard different words, those of the surer one are taken. What a window hears
    at its very edge, where words are cut in two, counts only in its own core.
    """
    words: list[Word] = list(heard[0]) if heard else []
    for (left, right), found in zip(pairwise(windows), heard[1:], strict=True):
        _join(words, found, _Seam.between(left, right))
    return tuple(words)


@dataclass(frozen=True, slots=True)
class _Seam:
    """Where (s) one core ends and the next begins, and the audio around it that both windows heard."""

    cut: float
    first: float
    last: float

    @classmethod
    def between(cls, left: Window, right: Window) -> "_Seam":
        reach = left.last - left.core_last
        first = max(right.first, left.first, right.core_first - reach)
        return cls(right.core_first / SAMPLE_RATE, first / SAMPLE_RATE, left.last / SAMPLE_RATE)

    def is_whole(self, word: Word) -> bool:
        """Tell whether the word lies so far inside of both windows that neither can have cut it."""
        return self.first + EDGE_S <= word.start and word.end <= self.last - EDGE_S


@dataclass(slots=True)
class _Column:
    """One word of the alignment, as the left window heard it, the right one, or both."""

    left: Word | None
    right: Word | None

    @property
    def is_agreed(self) -> bool:
        return self.left is not None and self.right is not None and _plain(self.left) == _plain(self.right)

    @property
    def start(self) -> float:
        starts = [word.start for word in (self.left, self.right) if word]
        return sum(starts) / len(starts)

    @property
    def end(self) -> float:
        return max(word.end for word in (self.left, self.right) if word)


def _join(left: list[Word], right: Sequence[Word], seam: _Seam) -> None:
    """Put the words of the right window behind `left`, those of all windows before it."""
    if seam.first >= seam.last:  # no audio in common
        left += [word for word in right if word.start >= seam.cut]
        return
    tail = len(left)
    while tail and left[tail - 1].start >= seam.first - MAX_SHIFT_S:
        tail -= 1
    right = [word for word in right if word.start >= seam.first - MAX_SHIFT_S]
    head = next((i for i, word in enumerate(right) if word.start >= seam.last + MAX_SHIFT_S), len(right))
    left[tail:] = [*_taken(_aligned(left[tail:], right[:head]), seam), *right[head:]]


def _taken(shared: list[_Column], seam: _Seam) -> Iterator[Word]:
    """Yield every word on which the windows agree, and one window's words where they do not."""
    agreed = [column for column in shared if column.is_agreed]
    block: list[_Column] = []
    for column in shared:
        if column.is_agreed or (block and column.start > max(one.end for one in block) + PAUSE_S):
            yield from _chosen(block, agreed, seam)
            block = []
        if not column.is_agreed:
            block.append(column)
        elif word := column.left if column.start < seam.cut else column.right:
            yield word
    yield from _chosen(block, agreed, seam)


def _chosen(block: list[_Column], agreed: list[_Column], seam: _Seam) -> list[Word]:
    """Return what one of the windows heard where they disagree: only one, so that nothing is doubled.

    The words of a window do not count where the other has a word that both heard, nor, outside of its own core, near
    the edge. Of what remains the surer window's is taken; of one that heard nothing, what the other heard.
    """
    if not block:
        return []
    mean_start = sum(column.start for column in block) / len(block)
    sides = [column.left for column in block], [column.right for column in block]
    known = [column.left for column in agreed], [column.right for column in agreed]
    own_side = 0 if mean_start < seam.cut else 1
    own_known = [word for word in known[1 - own_side] if word and seam.is_whole(word)]
    own = [word for word in sides[own_side] if word and not _is_covered(word, own_known)]
    others = [word for word in sides[1 - own_side] if word]
    whole = [word for word in others if seam.is_whole(word) and not _is_covered(word, known[own_side])]
    if any(sides[own_side]) and not all(map(seam.is_whole, others)):
        return own
    if not own or not whole:
        return own or whole
    return whole if _sureness(whole) > _sureness(own) else own


def _is_covered(word: Word, others: Sequence[Word | None]) -> bool:
    return any(other and _overlap(word, other) > SAME_TIME for other in others)


def _sureness(words: list[Word]) -> float:
    return sum(word.confidence or 0.0 for word in words) / len(words)


def _aligned(left: list[Word], right: list[Word]) -> list[_Column]:
    """Return the alignment of the two hypotheses with the highest score (Needleman–Wunsch), in order of time."""
    best = [[SKIP] * (len(right) + 1) for _ in range(len(left) + 1)]
    for i in reversed(range(len(left))):
        for j in reversed(range(len(right))):
            best[i][j] = max(best[i + 1][j], best[i][j + 1], _score(left[i], right[j]) + best[i + 1][j + 1])
    columns: list[_Column] = []
    i = j = 0
    while i < len(left) and j < len(right):
        score = _score(left[i], right[j])
        if score > SKIP and best[i][j] == score + best[i + 1][j + 1]:
            columns.append(_Column(left[i], right[j]))
            i, j = i + 1, j + 1
        elif _left_next(left[i], right[j], skip_left=best[i + 1][j], skip_right=best[i][j + 1]):
            columns.append(_Column(left[i], None))
            i += 1
        else:
            columns.append(_Column(None, right[j]))
            j += 1
    columns += [_Column(word, None) for word in left[i:]]
    return columns + [_Column(None, word) for word in right[j:]]


def _left_next(left: Word, right: Word, *, skip_left: float, skip_right: float) -> bool:
    return left.start <= right.start if skip_left == skip_right else skip_left > skip_right


def _score(left: Word, right: Word) -> float:
    """Return how surely the two are one word: by its text, else by the share of the time that they have in common."""
    shift = abs(left.start - right.start)
    if shift > MAX_SHIFT_S:
        return SKIP
    if _plain(left) == _plain(right):
        return PAIR * (1 - shift / MAX_SHIFT_S)
    shared = max(_overlap(left, right), _overlap(right, left))
    return shared if shared > SAME_TIME else SKIP


def _overlap(word: Word, other: Word) -> float:
    """Return the share of `word`'s time that lies in `other`."""
    if word.end == word.start:
        return float(other.start <= word.start < other.end)
    return max(0.0, min(word.end, other.end) - max(word.start, other.start)) / (word.end - word.start)


def _plain(word: Word) -> str:
    return "".join(char for char in word.text.casefold() if char.isalnum()) or word.text
