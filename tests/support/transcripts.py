"""Transcripts for tests: written by hand, and generated with the nastiest text Hypothesis can find."""

from hypothesis import strategies as st

from common.segments import segment_words
from common.timeline import Transcript, Turn, Word

NASTY_PARTS = (
    "-->", "<v Bob>", "</v>", "<i>", "&amp;", "&", "<", ">", ";;", "{\\an8}", "\\N", '"', "'", "\t", "\n\n", "\r\n",
    "\r", "\x00", "\x0b", "\x1c", "\x85", "\u2028", "\u2029", "\u00a0", "\u3000", "\ufeff", "\ud800", "WEBVTT", "NOTE",
    "1", "42", "[A]", "a:", "%", "/", "<NA>", "(", "é", "ー", "字", "。", "’s", "🙂", "\u0301", "word", "hello", "--",
    "@", "x" * 50,
)  # fmt: skip

nasty_text = st.lists(st.sampled_from(NASTY_PARTS) | st.text(max_size=6), max_size=4).map("".join)
speaker_labels = nasty_text.filter(bool)


def spoken(text: str, *, speaker: str | None = None, start: float = 0.0, step: float = 0.5) -> tuple[Word, ...]:
    """Return the words of `text`, one every `step` seconds, each 0.1 s shorter than that."""
    return tuple(
        Word(word, start + index * step, start + (index + 1) * step - 0.1, speaker=speaker)
        for index, word in enumerate(text.split())
    )


def transcript_of(*words: Word, diarized: bool = True, turns: tuple[Turn, ...] = ()) -> Transcript:
    """Return the words segmented by the house's rules."""
    duration_s = max((word.end for word in words), default=0.0)
    return Transcript(segment_words(words), duration_s, "en", diarized=diarized, turns=turns)


def times(max_ms: int = 20_000) -> st.SearchStrategy[float]:
    """Return times on a grid of milliseconds, in seconds."""
    return st.integers(0, max_ms).map(lambda ms: ms / 1000)


@st.composite
def nasty_words(draw: st.DrawFn, *, speakers: st.SearchStrategy[str | None]) -> tuple[Word, ...]:
    """Draw words in time order, which may overlap, touch, last nothing, or print nothing."""
    words, start = [], 0.0
    for _ in range(draw(st.integers(0, 12))):
        start += draw(times(2_000))
        end = start + draw(times(3_000))
        confidence = draw(st.none() | st.floats(0, 1))
        words.append(Word(draw(nasty_text), start, end, confidence, draw(speakers), draw(st.booleans())))
    return tuple(words)


@st.composite
def nasty_transcripts(draw: st.DrawFn) -> Transcript:
    """Draw diarized transcripts of up to four speakers, some of whose words are nobody's."""
    labels = draw(st.lists(speaker_labels, min_size=1, max_size=4))
    words = draw(nasty_words(speakers=st.none() | st.sampled_from(labels)))
    turns = draw(st.lists(st.tuples(times(), times(), st.sampled_from(labels)), max_size=5))
    return transcript_of(*words, turns=tuple(Turn(min(a, b), max(a, b), label) for a, b, label in turns))
