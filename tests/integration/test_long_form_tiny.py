"""Minutes of speech through the real NeMo decoder: nothing lost at seams, holes repaired, faults survived."""

from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.longform.scoring import word_errors
from common.errors import EngineError, InvalidInputError
from common.settings import load_settings
from handlers.nemo.checkpoint import restore
from handlers.transcription.engine import DecodingOptions
from handlers.transcription.memory import plain_memory
from handlers.transcription.nemo_decoder import NemoDecoder
from handlers.transcription.parakeet import ParakeetEngine, find_engine
from tests.support.optional import needed

pytestmark = pytest.mark.model

RATE = 16_000
MODEL_PATH = Path(__file__).parent.parent / "fixtures" / "tiny_parakeet" / "tiny-parakeet-tdt.nemo"


@pytest.fixture(scope="module")
def decoder():
    return NemoDecoder(restore(MODEL_PATH, device="cpu", variable="MODEL_ID"), device="cpu")


@pytest.fixture(scope="module")
def speech():
    needed("espeakng_loader")
    from tests.fixtures.tiny_parakeet.long_speech import compose  # noqa: PLC0415 - needs the package above

    return compose(total_s=100.0, seed=3)


def engine(decoder, *, partial=False):
    return ParakeetEngine(
        decoder, model="tiny", device="cpu", chunk_duration_s=20.0, partial=partial, memory=plain_memory()
    )


def heard(decoder, samples, *, partial=False, tick=lambda stage, fraction: None, **options):
    return engine(decoder, partial=partial).transcribe(samples, options=DecodingOptions(**options), tick=tick)


def texts(words):
    return [text for word in words if (text := word.text.strip(".").lower())]


def errors(speech, words):
    return word_errors(texts(speech.words), texts(words))


class Faulty:
    """The real decoder with `spoil(index of the call, samples of the windows, words)` after it."""

    def __init__(self, decoder, spoil):
        self.decoder = decoder
        self.spoil = spoil
        self.calls = 0

    def prepare(self, windows):
        return list(windows), self.decoder.prepare(windows)

    def decode(self, batch, ask):
        self.calls += 1
        windows, prepared = batch
        return self.spoil(self, windows, self.decoder.decode(prepared, ask))

    def careful(self):
        return self.decoder.careful()

    def expecting(self, phrases):
        return self.decoder.expecting(phrases)

    def free_memory(self):
        self.decoder.free_memory()


@pytest.fixture(scope="module")
def whole(decoder, speech):
    return heard(decoder, speech.samples)


def test_long_audio_has_no_more_errors_than_its_utterances_alone(decoder, speech, whole):
    alone = [
        word
        for one in speech.utterances
        for word in heard(decoder, speech.samples[one.first : one.last], spans=((0, one.last - one.first),)).words
    ]
    assert errors(speech, whole.words).wer <= errors(speech, alone).wer + 2.0  # a minute and a half: 5 of 230 words
    assert errors(speech, whole.words).wer < 8.0
    assert errors(speech, whole.words).deletions <= 0.02 * len(speech.words)


@pytest.mark.parametrize("chunk_duration_s", [8.0, 500.0])
def test_any_chunk_duration_hears_the_same(decoder, speech, whole, chunk_duration_s):
    found = heard(decoder, speech.samples, chunk_duration_s=chunk_duration_s)
    assert abs(errors(speech, found.words).wer - errors(speech, whole.words).wer) < 2.5
    starts = [word.start for word in found.words]
    assert starts == sorted(starts)


def test_words_are_where_they_are_spoken(speech, whole):
    truth = {(word.text, round(word.start, 1)): word.start for word in speech.words}
    shifts = [
        min(abs(start - word.start) for (text, _), start in truth.items() if text == word.text.strip("."))
        for word in whole.words
        if word.text.strip(".") in {text for text, _ in truth}
    ]
    assert np.median(shifts) <= 0.08
    assert all(0.0 < word.confidence <= 1.0 for word in whole.words)
    assert all(0.0 < word.end - word.start < 1.5 for word in whole.words)


def test_all_speech_has_words(whole):
    assert whole.coverage.speech_s > 60
    assert sum(end - start for start, end in whole.coverage.empty) < 0.02 * whole.coverage.speech_s
    assert whole.coverage.failed == ()


def place(speech, samples):
    """Where a window begins in the whole, in seconds: it is a view of it."""
    return (samples.ctypes.data - speech.samples.ctypes.data) / 4 / RATE


def test_a_dropped_span_comes_back(decoder, speech, whole):
    hole = speech.utterances[2].first / RATE, speech.utterances[2].last / RATE

    def drop(_faulty, windows, results):
        return [
            tuple(
                word
                for word in words
                if len(samples) < 15 * RATE or not hole[0] <= place(speech, samples) + word.start < hole[1]
            )
            for samples, words in zip(windows, results, strict=True)
        ]

    found = heard(Faulty(decoder, drop), speech.samples)
    assert found.coverage.repaired_s > 0.5 * (hole[1] - hole[0])
    assert errors(speech, found.words).deletions <= errors(speech, whole.words).deletions + 2
    assert [word.start for word in found.words] == sorted(word.start for word in found.words)


def test_batches_that_do_not_fit_are_halved(decoder, speech, whole):
    def fit_one(_faulty, windows, results):
        if len(windows) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return results

    faulty = Faulty(decoder, fit_one)
    many = ParakeetEngine(
        faulty, model="tiny", device="cpu", chunk_duration_s=20.0, partial=False, memory=plain_memory(batch_s=80.0)
    )
    found = many.transcribe(speech.samples, options=DecodingOptions(), tick=lambda stage, fraction: None)
    assert texts(found.words) == texts(whole.words)


def poisoned(speech):
    """Make every window fail that touches the third utterance."""
    first, last = speech.utterances[2].first / RATE, speech.utterances[2].last / RATE

    def spoil(_faulty, windows, results):
        starts = [place(speech, samples) for samples in windows]
        return [
            None if start < last and first < start + len(samples) / RATE else words
            for start, samples, words in zip(starts, windows, results, strict=True)
        ]

    return spoil, (first, last)


def test_a_stretch_that_fails_for_good_fails_the_job(decoder, speech):
    spoil, _ = poisoned(speech)
    with pytest.raises(EngineError, match="ON_WINDOW_FAILURE=partial"):
        heard(Faulty(decoder, spoil), speech.samples)


def test_or_is_declared(decoder, speech, whole):
    spoil, (first, last) = poisoned(speech)
    found = heard(Faulty(decoder, spoil), speech.samples, partial=True)
    declared = [*found.coverage.failed, *found.coverage.empty]
    missing = [word for word in speech.utterances[2].words if not near(word, found.words)]
    assert found.coverage.failed
    assert missing
    assert all(any(start - 1 <= word.start and word.end <= end + 1 for start, end in declared) for word in missing)
    outside = [word for word in whole.words if word.end < first - 10 or word.start > last + 10]
    assert outside
    assert {word.text for word in outside} <= {word.text for word in found.words}


def near(word, words):
    return any(abs(word.start - one.start) < 0.3 for one in words)


def test_half_precision_hears_the_same(speech, whole):
    settings = load_settings(
        {"MODEL_ID": str(MODEL_PATH), "TRANSCRIPTION_DEVICE": "cpu", "TRANSCRIPTION_PRECISION": "bfloat16"}
    )
    half = find_engine(settings.transcription)()
    found = half.transcribe(speech.samples[: 60 * RATE], options=DecodingOptions(), tick=lambda stage, fraction: None)
    first_minute = [word for word in whole.words if word.start < 60]
    assert word_errors(texts(first_minute), texts(found.words)).wer < 6.0


def test_expected_words_are_heard_more(decoder, speech):
    noisy = speech.samples[: 30 * RATE] + np.random.default_rng(0).normal(0, 0.1, 30 * RATE).astype(np.float32)
    plain = texts(heard(decoder, noisy).words)
    boosted = texts(heard(decoder, noisy, hotwords=("river", "window")).words)
    assert boosted.count("river") + boosted.count("window") > plain.count("river") + plain.count("window")
    assert texts(heard(decoder, noisy).words) == plain


def test_a_word_the_model_cannot_spell_is_named(decoder, speech):
    with pytest.raises(InvalidInputError, match="Жук") as caught:
        heard(decoder, speech.samples[:RATE], hotwords=("Жук",))
    assert caught.value.param == "hotwords"


def test_spans_are_heard_alone_and_keep_their_times(decoder, speech, whole):
    first, last = speech.utterances[1].first, speech.utterances[1].last
    found = heard(decoder, speech.samples, spans=((first, last),))
    assert found.coverage is None
    assert all(first / RATE <= word.start <= word.end <= last / RATE for word in found.words)
    assert word_errors(texts(speech.utterances[1].words), texts(found.words)).wer < 25.0


@pytest.mark.parametrize("part", ["encoder", "joint"])
def test_what_is_not_a_number_is_no_transcript(speech, part):
    network = restore(MODEL_PATH, device="cpu", variable="MODEL_ID")
    decoder = NemoDecoder(network, device="cpu")
    broken = network.joint.joint_net[-1] if part == "joint" else network.encoder.layers[0].norm_out
    with torch.no_grad():
        broken.bias.fill_(float("nan"))
    batch = decoder.prepare([speech.samples[: 3 * RATE]] * 2)
    assert decoder.decode(batch, lambda: None) == [None, None]
