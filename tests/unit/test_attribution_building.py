"""Built and made-up conversations: the same for the same seed, and true."""

import json
from itertools import pairwise

import numpy as np
import pytest
import soundfile

from benchmarks.attribution.building import HELD_OUT_VOICES, built, trimmed
from benchmarks.attribution.conversations import turns_of
from benchmarks.attribution.synthetic import synthetic
from common.audio.limits import SAMPLE_RATE

VOICES = {"10": 110.0, "11": 140.0, "12": 170.0, "1688": 200.0, "2414": 230.0, "LJ": 260.0}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Six voices, each a tone of its own, of six utterances with silence around them."""
    folder = tmp_path_factory.mktemp("data")
    lines = []
    (folder / "B_asr").mkdir()
    for speaker, hertz in VOICES.items():
        for number in range(6):
            length_s = 1.5 + 1.3 * number
            tone = np.sin(2 * np.pi * hertz * np.arange(int(length_s * SAMPLE_RATE)) / SAMPLE_RATE)
            silence = np.zeros(SAMPLE_RATE // 4)
            name = f"B_asr/{speaker}_{number}.wav"
            soundfile.write(folder / name, np.concatenate([silence, 0.3 * tone, silence]), SAMPLE_RATE)
            lines.append({"audio": name, "lang": "en", "speaker": speaker, "text": f"number {number} of {speaker}"})
    (folder / "B_asr" / "refs.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def conversations(data):
    return list(built(data, per_split=3, longest_s=40.0))


def test_the_same_data_make_the_same_conversations(data, conversations):
    again = next(built(data, per_split=3, longest_s=40.0))
    assert np.array_equal(again.samples, conversations[0].samples)
    assert again.utterances == conversations[0].utterances


def test_no_voice_is_in_both_splits(conversations):
    voices = {split: set() for split in ("development", "held-out")}
    for one in conversations:
        voices[one.split] |= {utterance.speaker for utterance in one.utterances}
    assert voices["held-out"] <= HELD_OUT_VOICES
    assert not voices["development"] & HELD_OUT_VOICES
    assert [one.split for one in conversations] == ["development"] * 3 + ["held-out"] * 3


def test_every_turn_is_where_its_voice_is(conversations):
    """In the samples of an utterance that nobody else overlaps, its own tone is the loudest."""
    checked = 0
    for one in conversations:
        for utterance in one.utterances:
            others = [u for u in one.utterances if u is not utterance]
            if not any(u.start < utterance.end and utterance.start < u.end for u in others):
                piece = one.samples[int(utterance.start * SAMPLE_RATE) : int(utterance.end * SAMPLE_RATE)]
                spectrum = np.abs(np.fft.rfft(piece))
                hertz = np.argmax(spectrum) * SAMPLE_RATE / len(piece)
                assert hertz == pytest.approx(VOICES[utterance.speaker], abs=2.0)
                checked += 1
    assert checked > 10


def test_turns_are_the_utterances_and_some_overlap(conversations):
    overlapping = 0
    for one in conversations:
        assert one.turns == turns_of(one.utterances)
        assert one.duration_s == len(one.samples) / SAMPLE_RATE
        ordered = sorted(one.turns)
        overlapping += sum(later.start < earlier.end for earlier, later in pairwise(ordered))
        for speaker in {turn.speaker for turn in ordered}:
            own = [turn for turn in ordered if turn.speaker == speaker]
            assert all(earlier.end <= later.start for earlier, later in pairwise(own))
    assert overlapping > 3


def test_silence_at_both_ends_is_cut_off():
    tone = 0.3 * np.sin(np.arange(8000)).astype(np.float32)
    cut = trimmed(np.concatenate([np.zeros(4000, np.float32), tone, np.zeros(6000, np.float32)]))
    assert len(cut) == pytest.approx(8000, abs=0.08 * SAMPLE_RATE)


def test_made_up_conversations_are_the_same_every_time():
    first, again = (list(synthetic(per_split=1, longest_s=20.0)) for _ in range(2))
    assert first == again
    assert [one.conversation.split for one in first] == ["development", "held-out"]


def test_made_up_words_are_all_heard_once_in_order_and_late():
    (heard, _) = synthetic(per_split=1, longest_s=40.0)
    said = sorted((word for one in heard.conversation.utterances for word in one.words), key=lambda word: word.start)
    assert [word.text.rstrip(".?") for word in heard.words] == [word.text.rstrip(".?") for word in said]
    assert all(a.start <= b.start and a.end <= b.start + 0.011 for a, b in pairwise(heard.words))
    assert 0.0 < np.median([one.start - own.start for one, own in zip(heard.words, said, strict=True)]) < 0.1


def test_made_up_exclusive_turns_do_not_overlap():
    (heard, _) = synthetic(per_split=1, longest_s=40.0)
    exclusive = heard.spoken.exclusive
    assert len(exclusive) > 5
    assert all(a.end <= b.start for a, b in pairwise(exclusive))
    assert any(a.end > b.start for a, b in pairwise(heard.spoken.turns))
