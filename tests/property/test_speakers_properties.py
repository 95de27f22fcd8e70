"""What holds for the speakers of any words and turns."""

from collections import defaultdict
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from common.speakers import assign_speakers
from common.timeline import Turn, Word
from tests.support.transcripts import times

LABELS = "ABCD"
MAX_GAP_MS = 2000

spans = st.tuples(times(), times()).map(sorted)
words_lists = st.lists(spans.map(lambda span: Word("w", *span)), max_size=12)
turns_lists = st.lists(st.builds(lambda span, label: Turn(*span, label), spans, st.sampled_from(LABELS)), max_size=10)


def speakers(words, turns):
    return [word.speaker for word in assign_speakers(words, turns)]


def ms(seconds: float) -> int:
    return round(seconds * 1000)


def stretches(turns):
    """Merge the touching turns of each speaker, the slow and obvious way."""
    result = {(ms(turn.start), ms(turn.end), turn.speaker) for turn in turns}
    while True:
        for a in result:
            touching = [b for b in result - {a} if b[2] == a[2] and b[0] <= a[1] and a[0] <= b[1]]
            if touching:
                b = touching[0]
                result = (result - {a, b}) | {(min(a[0], b[0]), max(a[1], b[1]), a[2])}
                break
        else:
            return result


def reference_speaker(word, turns):
    """Look at every stretch for every word."""
    start, end = ms(word.start), ms(word.end)
    total, first = defaultdict(int), {}
    for stretch in sorted(stretches(turns)):
        overlap = min(stretch[1], end) - max(stretch[0], start)
        if overlap > 0 or (start == end and stretch[0] <= start < stretch[1]):
            total[stretch[2]] += overlap
            first.setdefault(stretch[2], stretch)
    if total:
        return min(first[s] for s in total if total[s] == max(total.values()))[2]
    gaps = [(max(0, start - stretch[1], stretch[0] - end), stretch) for stretch in stretches(turns)]
    return min((gap for gap in gaps if gap[0] <= MAX_GAP_MS), default=(0, (0, 0, None)))[1][2]


@given(words_lists, turns_lists)
def test_equals_comparing_every_word_with_every_turn(words, turns):
    assert speakers(words, turns) == [reference_speaker(word, turns) for word in words]


@given(words_lists, turns_lists, st.permutations(LABELS))
def test_renaming_speakers_renames_the_answer(words, turns, names):
    # Where two stretches are the same stretch, only the label is left to decide.
    starts_and_ends = [stretch[:2] for stretch in stretches(turns)]
    if len(set(starts_and_ends)) < len(starts_and_ends):
        return
    new = dict(zip(LABELS, names, strict=True))
    renamed = [replace(turn, speaker=new[turn.speaker]) for turn in turns]
    assert speakers(words, renamed) == [new.get(speaker) for speaker in speakers(words, turns)]


@given(words_lists, turns_lists, st.integers(0, 40_000_000))
def test_a_later_start_of_the_recording_changes_nothing(words, turns, shift_ms):
    shift_s = shift_ms / 1000
    later_turns = [replace(turn, start=turn.start + shift_s, end=turn.end + shift_s) for turn in turns]
    assert speakers([word.shifted(shift_s) for word in words], later_turns) == speakers(words, turns)


@given(words_lists, turns_lists, st.data())
def test_cutting_a_turn_into_abutting_parts_changes_nothing(words, turns, data):
    parts = []
    for turn in turns:
        cut = data.draw(st.integers(ms(turn.start), ms(turn.end))) / 1000
        parts += [replace(turn, end=cut), replace(turn, start=cut)]
    assert speakers(words, parts) == speakers(words, turns)


@given(words_lists, turns_lists, st.sampled_from(LABELS))
def test_a_turn_far_away_changes_nothing(words, turns, label):
    assert speakers(words, [*turns, Turn(1000, 2000, label)]) == speakers(words, turns)


@given(words_lists, turns_lists, st.randoms())
def test_the_order_of_turns_does_not_matter_and_that_of_words_is_kept(words, turns, random):
    order = random.sample(range(len(words)), len(words))
    shuffled = random.sample(turns, len(turns))
    expected = speakers(words, turns)
    assert speakers([words[i] for i in order], shuffled) == [expected[i] for i in order]
    assert [(w.start, w.end) for w in assign_speakers(words, turns)] == [(w.start, w.end) for w in words]
