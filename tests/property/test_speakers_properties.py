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
texts = st.sampled_from(["w", "w", "w."])
words_lists = st.lists(st.builds(lambda span, text: Word(text, *span), spans, texts), max_size=12)
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


def overlaps(word, turns):
    """Look at every stretch: how much of the word, at least 100 ms long, each speaker talks."""
    start, end = ms(word.start), max(ms(word.end), ms(word.start) + 100)
    total = defaultdict(int)
    for stretch in stretches(turns):
        total[stretch[2]] += max(0, min(stretch[1], end) - max(stretch[0], start))
    return total, end - start


def gaps(word, turns):
    """Return how far the nearest talk of each speaker is from the word."""
    result = {}
    for start, end, speaker in stretches(turns):
        gap = max(0, ms(word.start) - end, start - ms(word.end))
        result[speaker] = min(gap, result.get(speaker, gap))
    return result


@given(spans.map(lambda span: Word("w", *span)), turns_lists)
def test_a_word_alone_has_the_speaker_of_most_of_it_else_the_nearest(word, turns):
    (found,) = speakers([word], turns)
    (total, length), near = overlaps(word, turns), gaps(word, turns)
    within = {speaker: total[speaker] for speaker, gap in near.items() if gap <= MAX_GAP_MS}
    if any(within.values()):
        talking = [part for part in within.values() if part >= length / 2]
        least = (
            max(within.values()) / 1.5 if len(talking) > 1 else max(within.values())
        )  # then the shorter turn may win
        assert within[found] >= least - length / 500  # evidence is counted in thousandths
    elif within:
        assert near[found] <= min(near.values()) + 100
    else:
        assert found is None


@given(words_lists, turns_lists)
def test_every_word_has_a_speaker_whose_turn_is_near_or_nobodys_is(words, turns):
    for word, speaker in zip(words, speakers(words, turns), strict=True):
        near = {name for name, gap in gaps(word, turns).items() if gap <= MAX_GAP_MS}
        assert speaker in near if near else speaker is None


@given(words_lists, turns_lists, st.permutations(LABELS))
def test_renaming_speakers_renames_the_answer(words, turns, names):
    # Of speakers who always talk together, only the label is left to decide.
    talk = [sorted(one[:2] for one in stretches(turns) if one[2] == label) for label in LABELS]
    if any(talk.count(one) > 1 for one in talk if one):
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


@given(words_lists, turns_lists, st.sampled_from([*LABELS, "E"]), st.booleans())
def test_a_turn_far_from_all_words_changes_nothing(words, turns, label, before):
    later_words = [word.shifted(50) for word in words]
    later_turns = [replace(turn, start=turn.start + 50, end=turn.end + 50) for turn in turns]
    far = Turn(0, 40, label) if before else Turn(1000, 2000, label)
    assert assign_speakers(later_words, [*later_turns, far]) == assign_speakers(later_words, later_turns)


@given(words_lists, turns_lists, turns_lists)
def test_exclusive_turns_of_nobody_who_has_a_turn_change_nothing(words, turns, exclusive):
    strangers = [replace(turn, speaker="stranger") for turn in exclusive]
    told = assign_speakers(words, turns, exclusive=[*turns, *strangers])
    assert [word.speaker for word in told] == speakers(words, turns)


@given(words_lists, turns_lists)
def test_confidence_is_a_part_and_goes_with_a_speaker(words, turns):
    for word in assign_speakers(words, turns):
        if word.speaker is None:
            assert (word.speaker_confidence, word.overlap) == (None, False)
        else:
            assert 0 < word.speaker_confidence < 1


@given(st.lists(spans.map(lambda span: Word("w", *span)), max_size=12), turns_lists, st.randoms())
def test_the_order_of_turns_does_not_matter_and_that_of_words_is_kept(words, turns, random):
    order = random.sample(range(len(words)), len(words))
    shuffled = random.sample(turns, len(turns))
    expected = speakers(words, turns)
    assert speakers([words[i] for i in order], shuffled) == [expected[i] for i in order]
    assert [(w.start, w.end) for w in assign_speakers(words, turns)] == [(w.start, w.end) for w in words]
