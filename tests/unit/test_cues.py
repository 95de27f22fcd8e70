"""How words are laid out in cues, case by case."""

from dataclasses import replace

from common.formats import RenderOptions, SubtitleLimits, render
from common.formats.cues import build_cues
from common.timeline import Word
from tests.support.transcripts import spoken, transcript_of

NARROW = SubtitleLimits(max_line_chars=16, max_lines=2, max_cue_s=5.0)


def cues(*words: Word, limits: SubtitleLimits = NARROW, label: str = ""):
    built = build_cues(transcript_of(*words), limits, label=lambda _: label)
    return [(cue.start_ms, cue.end_ms, "|".join(cue.lines)) for cue in built]


def test_lines_fill_up_to_the_limit_then_a_new_cue_starts():
    words = spoken("twelve of them in line and three over the top", speaker="A")
    assert cues(*words) == [(0, 2900, "twelve of them|in line and"), (3000, 4900, "three over the|top")]


def test_a_single_longer_word_stands_alone():
    assert cues(*spoken("a incomprehensibilities b")) == [(0, 900, "a|incomprehensibilities"), (1000, 1400, "b")]


def test_a_cue_is_no_longer_than_the_limit():
    assert cues(*spoken("a b c d", step=2)) == [(0, 3900, "a b"), (4000, 7900, "c d")]


def test_a_word_stretched_over_the_limit_is_shown_for_the_limit():
    assert cues(Word("well", 1, 9)) == [(1000, 6000, "well")]


def test_the_label_counts_in_the_line():
    words = spoken("one two three four", speaker="A")
    assert cues(*words, label="[Ann]") == [(0, 1900, "[Ann] one two|three four")]


def test_a_label_too_long_for_the_first_word_has_its_own_line():
    words = spoken("incomprehensible speech", speaker="A")
    assert cues(*words, label="[Ann]") == [(0, 500, "[Ann]|incomprehensible"), (500, 900, "[Ann] speech")]


def test_a_label_stays_with_its_word_where_there_is_one_line():
    limits = SubtitleLimits(max_line_chars=10, max_lines=1)
    words = spoken("speech therapy", speaker="A")
    assert [text for *_, text in cues(*words, label="[Ann]", limits=limits)] == ["[Ann] speech", "[Ann] therapy"]


def test_scripts_without_spaces_break_between_words_but_not_before_a_mark():
    words = [Word(text, i, i + 0.9, space_before=False) for i, text in enumerate(["これ", "は", "ペン", "です", "。"])]
    limits = SubtitleLimits(max_line_chars=4, max_lines=2)
    assert cues(*words, limits=limits) == [(0, 2900, "これは|ペン"), (3000, 4900, "です。")]


def test_a_short_cue_stays_as_long_as_nothing_follows():
    words = [Word("Yes.", 0, 0.2), Word("No.", 0.5, 0.6), Word("Oh?", 2, 2.1), Word("end", 9, 9.5)]
    assert cues(*words) == [(0, 500, "Yes."), (500, 1200, "No."), (2000, 2700, "Oh?"), (9000, 9500, "end")]


def test_speech_at_once_is_shown_one_after_the_other():
    a, b, c = Word("I", 1.0, 1.5, speaker="A"), Word("we", 1.0, 1.4, speaker="B"), Word("he", 1.6, 3, speaker="C")
    assert cues(a, b, c) == [(1000, 1500, "I"), (1500, 1900, "we"), (1900, 3000, "he")]


def test_a_long_cue_gives_way_to_the_next():
    assert cues(Word("so", 0, 4, speaker="A"), Word("wait", 2, 3, speaker="B")) == [
        (0, 2000, "so"),
        (2000, 3000, "wait"),
    ]


def test_words_without_duration_are_seen():
    assert cues(Word("a", 1, 1, speaker="A"), Word("b", 1, 1, speaker="B")) == [(1000, 1001, "a"), (1001, 1002, "b")]


def test_more_than_99_hours():
    late = transcript_of(Word("late", 360_000, 360_001.5))
    for name, times in (("srt", "100:00:00,000 --> 100:00:01,500"), ("vtt", "100:00:00.000 --> 100:00:01.500")):
        assert times in render(late, name, RenderOptions())["text"].splitlines()


def test_the_last_cue_stays_until_the_end_of_the_audio_at_most():
    bye = transcript_of(Word("Bye.", 1.0, 1.2))
    ends = [build_cues(replace(bye, duration_s=duration_s), NARROW)[0].end_ms for duration_s in (1.1, 1.2, 1.5, 60)]
    assert ends == [1200, 1200, 1500, 1700]


def test_a_word_with_a_space_inside_may_break_there():
    york = Word("New York", 1.0, 2.0, space_before=False)
    assert cues(york) == [(1000, 2000, "New York")]
    limits = SubtitleLimits(max_line_chars=4, max_lines=1, min_cue_s=0)
    assert cues(york, limits=limits) == [(1000, 1428, "New"), (1428, 2000, "York")]
