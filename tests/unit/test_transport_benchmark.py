import json

import numpy as np
import pytest
import soundfile

from benchmarks.attribution.scoring import Rate
from benchmarks.transport import __main__ as main
from benchmarks.transport import measure
from benchmarks.transport.measure import HISS, STRAIGHT, Arm, HourSent
from benchmarks.transport.speech import CONVERSATIONS, UTTERANCES, Passage, joined, passages, sent, with_hiss
from common.timeline import Word
from handlers.transcription.engine import Hypothesis
from tests.support.pyannote_sample import normalised, reference_text, sample_audio

SECOND = 16_000


def passage(seconds, level, text="one two three four"):
    samples = np.full(round(seconds * SECOND), level, np.float32)
    return Passage(name=f"{level}", kind=UTTERANCES, samples=samples, text=text)


def arm(errors, way=16_000, **costs):
    return Arm(way=way, rates=tuple(Rate(errors=one, words=100) for one in errors), **costs)


@pytest.mark.parametrize("take", [0, 2])
def test_passages_are_cut_out_where_they_were_joined(take):
    recording = joined([passage(1, 0.1), passage(2, 0.2)], take=take)
    shift = round(take * 0.13 * SECOND)
    first, second = recording.parts(recording.samples)
    assert [len(first), len(second)] == [SECOND + shift, 2 * SECOND + shift]
    assert not first[:shift].any()
    assert set(second[shift:].tolist()) == {np.float32(0.2)}
    assert recording.duration_s == pytest.approx(3 + 2 * (0.5 + shift / SECOND))


def test_what_arrives_is_what_was_sent():
    recording = joined([Passage(name="a", kind=UTTERANCES, samples=sample_audio()[: 8 * SECOND], text="")])
    way = sent(recording, bit_rate=24_000)
    assert len(way.samples) == len(recording.samples)
    assert np.corrcoef(way.samples, recording.samples)[0, 1] > 0.9
    assert 10_000 < way.size_bytes * 8 / recording.duration_s < 26_000
    assert way.encode_cpu_s > 0


def test_without_data_there_is_the_packaged_sample():
    (one,) = passages(None)
    assert (one.kind, len(one.samples)) == (CONVERSATIONS, 30 * SECOND)
    assert sorted(normalised(one.text).split()) == sorted(reference_text().split())


def test_data_has_english_utterances(tmp_path):
    (tmp_path / "B_asr").mkdir()
    soundfile.write(tmp_path / "a.flac", np.zeros(800), 8000)
    lines = [{"id": code, "audio": "a.flac", "lang": code, "text": "hola"} for code in ("en", "es")]
    (tmp_path / "B_asr" / "refs.jsonl").write_text("\n".join(map(json.dumps, lines)))
    utterances = [one for one in passages(tmp_path) if one.kind == UTTERANCES]
    assert [(one.name, len(one.samples), one.text) for one in utterances] == [("en", 1600, "hola")]
    assert [one.name for one in main.chosen(tmp_path, kind=CONVERSATIONS, quick=True)] == ["pyannote_sample"]


class Echo:
    """Hears one word for every tenth of a second."""

    def transcribe(self, samples, *, options, tick):
        tick("transcribing", 0.5)
        assert options.language == "en"
        count = len(samples) // 1600
        return Hypothesis(words=tuple(Word("one", i / 10, i / 10 + 0.1) for i in range(count)), language="en")


def test_errors_of_all_takes_are_added(monkeypatch):
    speech = [passage(0.2, 0.1, "one one"), passage(0.3, 0.1, "one two one one")]
    straight = measure.measured(Echo(), speech, str.lower, way=STRAIGHT, takes=1)
    assert straight.rates == (Rate(errors=0, words=2), Rate(errors=1, words=4))
    twice = measure.measured(Echo(), speech, str.lower, way=24_000, takes=2)
    assert twice.rates == (Rate(errors=1, words=4), Rate(errors=2, words=8))
    assert twice.bits_per_s > 500
    assert twice.encode_x > 1


def test_hiss_changes_every_sample_a_little():
    silence = np.zeros(SECOND, np.float32)
    assert 20 * np.log10(with_hiss(silence).std()) == pytest.approx(-70, abs=0.2)
    assert (with_hiss(silence) != with_hiss(silence, seed=1)).all()
    heard = measure.measured(Echo(), [passage(0.2, 0.1, "one one")], str.lower, way=HISS, takes=1)
    assert heard.rates == (Rate(errors=0, words=2),)


def test_each_kind_of_speech_is_told_alone():
    speech = [passage(1, 0.1), Passage(name="a", kind=CONVERSATIONS, samples=np.zeros(1), text="")]
    lines = list(main.kind_lines([arm([12, 20], HISS)], arm([10, 20], STRAIGHT), speech))
    assert [text.split()[:3] for text in lines] == [
        ["utterances:", "1", "passages"],
        ["straight", "10.00", "+0.00"],
        ["hiss", "12.00", "+2.00"],
        ["conversations:", "1", "passages"],
        ["straight", "20.00", "+0.00"],
        ["hiss", "20.00", "+0.00"],
    ]


def test_the_cost_is_the_difference_with_its_interval():
    straight, after = arm([10, 20, 30], STRAIGHT), arm([11, 21, 31])
    assert after.cost(straight) == pytest.approx((1, 1, 1))
    points, low, high = arm([10, 20, 33]).cost(straight)
    assert points == pytest.approx(1)
    assert low == pytest.approx(0)
    assert 2 <= high <= 3


def test_what_fits_is_the_room_of_a_request():
    assert measure.ROOM_BYTES == 7_452_000
    assert arm([1], bits_per_s=16_560).minutes_that_fit == pytest.approx(60)


def test_the_last_line_is_of_the_rate_that_an_hour_gets():
    straight = arm([10, 20], STRAIGHT)
    arms = [arm([10, 24], 17_000, bits_per_s=16_000, encode_x=100), arm([10, 30], 10_000, bits_per_s=9_000)]
    hour = HourSent(size_bytes=7_400_000, share=0.99302, seconds=12.34)
    found = main.document(straight, arms, 17_000, hour, 2)
    assert found["wer"] == 15
    assert found["wer_60_min"] == 17
    assert found["points_60_min"] == 2
    assert found["hour"] == {"bytes": 7_400_000, "share": 0.993, "seconds": 12.3}
    assert [one["way"] for one in found["arms"]] == [17_000, 10_000]
    assert found["words"] == 100
    assert main.line(straight, straight).split()[:3] == ["straight", "15.00", "+0.00"]
    assert main.line(arms[0], straight).split()[:7] == ["17000", "16000", "120", "62", "100x", "17.00", "+2.00"]


def test_an_hour_is_sent_as_the_client_does(monkeypatch):
    monkeypatch.setattr(measure, "ROOM_BYTES", 4_000)
    speech = sample_audio()[: 2 * SECOND]
    found = measure.hour_sent(speech)
    assert 0.85 < found.share <= 1
    assert found.size_bytes == round(found.share * 4_000)
    with pytest.raises(ValueError, match="does not fit"):
        measure.hour_sent(np.tile(speech, 10))
    assert len(measure.hour_of(joined([passage(1, 0.1)]))) == 3600 * SECOND
