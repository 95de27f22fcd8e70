"""The Parakeet engine around a decoder without a model."""

from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from common.errors import EngineError, InvalidInputError, JobCancelledError
from handlers.transcription import long_form
from handlers.transcription.engine import DecodingOptions
from handlers.transcription.memory import plain_memory
from handlers.transcription.parakeet import WINDOW_S, ParakeetEngine
from handlers.transcription.speech_detector import Speech
from tests.support.fake_decoder import FakeDecoder, audio, texts


@dataclass
class Decoder(FakeDecoder):
    """Also notes which phrases were expected while it decoded."""

    expected: list[tuple[str, ...]] = field(default_factory=list)
    expecting_now: tuple[str, ...] | None = None

    @contextmanager
    def expecting(self, phrases):
        if "☃" in phrases:
            raise InvalidInputError("the model has no letters to spell '☃'; leave it out", param="hotwords")
        self.expecting_now = tuple(phrases)
        try:
            yield
        finally:
            self.expecting_now = None

    def decode(self, batch, ask):
        self.expected.append(self.expecting_now)
        return super().decode(batch, ask)


@pytest.fixture(autouse=True)
def _speech_everywhere(monkeypatch):
    def find_speech(samples, stop):
        everything = ((0.0, len(samples) / 16_000),) if len(samples) else ()
        return Speech(certain=everything, possible=everything)

    monkeypatch.setattr(long_form, "find_speech", find_speech)


def ignore(stage, fraction):
    pass


def engine(decoder=None, *, model="nvidia/parakeet-tdt-0.6b-v2", setting=500.0, partial=False):
    memory = plain_memory(batch_s=60.0)
    return ParakeetEngine(
        decoder or Decoder(), model=model, device="cpu", chunk_duration_s=setting, partial=partial, memory=memory
    )


def heard(samples, used=None, *, tick=ignore, **options):
    return (used or engine()).transcribe(samples, options=DecodingOptions(**options), tick=tick)


def lengths(decoder):
    return [last - first for attempt in decoder.attempts for first, last in attempt.spans]


def test_every_word_of_long_audio_is_heard_once_at_its_time():
    words = heard(audio(125.5)).words
    assert [word.text for word in words] == texts(0, 125.5)
    assert [word.start for word in words] == pytest.approx(list(range(126)), abs=0.011)
    assert [word.end - word.start for word in words] == pytest.approx([0.5] * 126)


@pytest.mark.parametrize(("setting", "asked", "longest"), [(500.0, None, WINDOW_S), (10.0, None, 10), (500.0, 5.0, 5)])
def test_no_window_is_longer_than_the_setting_the_request_and_the_encoder_allow(setting, asked, longest):
    decoder = Decoder()
    heard(audio(60), engine(decoder, setting=setting), chunk_duration_s=asked)
    assert max(lengths(decoder)) == pytest.approx(longest, abs=0.02)
    assert sum(lengths(decoder)) > 60  # what is around each window's own share is heard twice


def test_windows_are_decoded_together():
    decoder = Decoder()
    heard(audio(60), engine(decoder))
    assert max(len(attempt.spans) for attempt in decoder.attempts) == 3


def test_no_audio_is_no_words_without_the_network():
    decoder = Decoder()
    found = heard(audio(0), engine(decoder))
    assert (found.words, found.coverage.speech_s) == ((), 0.0)
    assert decoder.attempts == []


def test_only_the_spans_are_decoded():
    decoder = Decoder()
    found = heard(audio(60), engine(decoder), spans=((160_000, 240_000), (640_000, 720_000)))
    assert [word.text for word in found.words] == texts(10, 15) + texts(40, 45)
    assert found.coverage is None
    assert sorted(span for attempt in decoder.attempts for span in attempt.spans) == [(10, 15), (40, 45)]


@pytest.mark.parametrize("hotwords", [(), ("Parley", "Anna")])
def test_hotwords_are_expected_in_every_batch_and_no_longer(hotwords):
    decoder = Decoder()
    heard(audio(60), engine(decoder), hotwords=hotwords)
    assert len(decoder.expected) >= 2
    assert set(decoder.expected) == {hotwords}
    assert decoder.expecting_now is None


def test_hotwords_are_not_expected_any_more_after_a_failure():
    def fail(attempt):
        raise JobCancelledError("stopped")

    decoder = Decoder(fault=fail)
    with pytest.raises(JobCancelledError):
        heard(audio(5), engine(decoder), hotwords=("Anna",))
    assert (decoder.expected, decoder.expecting_now) == ([("Anna",)], None)


def test_a_hotword_that_cannot_be_spelled_is_the_callers_mistake():
    decoder = Decoder()
    with pytest.raises(InvalidInputError, match="no letters to spell '☃'"):
        heard(audio(5), engine(decoder), hotwords=("☃",))
    assert decoder.attempts == []


def test_a_window_that_fails_for_good_fails_the_job_or_is_told_if_that_is_the_setting():
    def is_finite(attempt, span):
        return not span[0] <= 45 < span[1]

    with pytest.raises(EngineError, match="the model fails on the audio from 4"):
        heard(audio(100), engine(Decoder(is_finite=is_finite)))
    found = heard(audio(100), engine(Decoder(is_finite=is_finite), partial=True))
    missing = sorted(set(texts(0, 100)) - {word.text for word in found.words})
    assert "w45" in missing
    assert len(missing) <= 10
    ((start, end),) = found.coverage.failed
    assert start < 45.5 < end
    assert all(start - 1.5 < float(text[1:]) < end + 1.5 for text in missing)


def test_a_stopped_job_ends_inside_a_window():
    decoder, ticks = Decoder(), []

    def stop(stage, fraction):
        ticks.append(fraction)
        if len(ticks) == 3:
            raise JobCancelledError("stopped")

    with pytest.raises(JobCancelledError, match="stopped"):
        heard(audio(60), engine(decoder), tick=stop)
    assert len(decoder.attempts) == 1


def test_progress_never_goes_back_and_is_complete_only_at_the_end():
    ticks = []
    heard(audio(100), tick=lambda stage, fraction: ticks.append(fraction))
    assert ticks == sorted(ticks)
    assert (ticks[0], ticks[-2] < 1.0, ticks[-1]) == (0.0, True, 1.0)


@pytest.mark.parametrize(
    ("model", "language", "expected"),
    [
        ("nvidia/parakeet-tdt-0.6b-v2", None, "en"),
        ("nvidia/parakeet-tdt-0.6b-v2", "EN-us", "en"),
        ("nvidia/parakeet-tdt-1.1b", None, "en"),
        ("parakeet-tdt-0.6b-v2", None, "en"),
        ("nvidia/parakeet-tdt-0.6b-v3", None, "und"),
        ("nvidia/parakeet-tdt_ctc-0.6b-ja", None, "und"),
        ("nvidia/parakeet-tdt_ctc-0.6b-ja", "ja", "ja"),
        ("my-own-model", None, "und"),
        ("my-own-model", "fi-FI", "fi"),
        ("nvidia/parakeet-tdt-0.6b-v3", "de", "de"),
    ],
)
def test_languages_the_model_speaks(model, language, expected):
    assert heard(audio(1), engine(model=model), language=language).language == expected


@pytest.mark.parametrize(
    ("model", "language"), [("nvidia/parakeet-tdt-0.6b-v2", "de"), ("nvidia/parakeet-tdt-0.6b-v3", "ja")]
)
def test_a_language_the_model_does_not_speak_is_named(model, language):
    with pytest.raises(InvalidInputError, match=f"does not speak '{language}'") as caught:
        heard(audio(1), engine(model=model), language=language)
    assert caught.value.param == "language"
