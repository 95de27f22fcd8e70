"""The window loop of the Parakeet engine around a network that is not there."""

from types import SimpleNamespace

import numpy as np
import pytest

from common.errors import ConfigurationError, InvalidInputError
from common.settings import TranscriptionSettings
from handlers.transcription.parakeet import ParakeetEngine, find_engine
from tests.support.audio_jobs import tone


class Layer:
    def __init__(self):
        self.hooks = []

    def register_forward_pre_hook(self, hook):
        self.hooks.append(hook)
        return SimpleNamespace(remove=lambda: self.hooks.remove(hook))


class Network:
    """Hears one word in every window: its length in samples."""

    def __init__(self, words=None):
        self.encoder = SimpleNamespace(layers=[Layer(), Layer()])
        self.lengths = []
        self.words = words

    def transcribe(self, audio, *, timestamps, batch_size, verbose):
        assert (timestamps, batch_size) == (True, 1)
        for layer in self.encoder.layers:
            for hook in layer.hooks:
                hook(layer, None)
        self.lengths.append(len(audio[0]))
        found = self.words or [{"word": f" w{len(self.lengths)}.", "start": 0.1, "end": 0.4}]
        return [SimpleNamespace(timestamp={"word": found})]


def engine(network=None, model="nvidia/parakeet-tdt-0.6b-v2", chunk_duration_s=500.0):
    return ParakeetEngine(network or Network(), model=model, device="cpu", chunk_duration_s=chunk_duration_s)


def heard(samples, used=None, *, language=None, chunk_duration_s=None, tick=lambda stage, fraction: None):
    return (used or engine()).transcribe(samples, language=language, chunk_duration_s=chunk_duration_s, tick=tick)


def test_words_of_later_windows_come_later():
    network = Network()
    words = heard(np.zeros(25 * 16_000, np.float32), engine(network, chunk_duration_s=10.0)).words
    assert [(word.text, round(word.start, 3), round(word.end, 3)) for word in words] == [
        ("w1.", 0.1, 0.4),
        ("w2.", 10.075, 10.375),
        ("w3.", 20.05, 20.35),
    ]
    assert sum(network.lengths) == 25 * 16_000


def test_the_requests_chunk_duration_beats_the_setting():
    network = Network()
    heard(tone(12), engine(network), chunk_duration_s=5.0)
    assert len(network.lengths) == 3


def test_short_audio_is_padded_and_its_words_clipped_back():
    network = Network(words=[{"word": "a", "start": 0.1, "end": 0.9}, {"word": " ", "start": 0.9, "end": 1.0}])
    (word,) = heard(tone(0.5), engine(network)).words
    assert network.lengths == [16_000]
    assert (word.text, word.start, word.end) == ("a", 0.1, 0.5)


def test_no_audio_is_no_words_without_the_network():
    network = Network()
    assert heard(tone(0), engine(network)).words == ()
    assert network.lengths == []


def test_a_stopped_job_ends_inside_a_window_and_leaves_no_hooks():
    network, ticks = Network(), []

    def stop(stage, fraction):
        ticks.append(fraction)
        if len(ticks) == 3:
            raise RuntimeError("stopped")

    with pytest.raises(RuntimeError, match="stopped"):
        heard(tone(2), engine(network), tick=stop)
    assert network.lengths == []
    assert [layer.hooks for layer in network.encoder.layers] == [[], []]


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
    assert heard(tone(1), engine(model=model), language=language).language == expected


@pytest.mark.parametrize(
    ("model", "language"), [("nvidia/parakeet-tdt-0.6b-v2", "de"), ("nvidia/parakeet-tdt-0.6b-v3", "ja")]
)
def test_a_language_the_model_does_not_speak_is_named(model, language):
    with pytest.raises(InvalidInputError, match=f"does not speak '{language}'") as caught:
        heard(tone(1), engine(model=model), language=language)
    assert caught.value.param == "language"


@pytest.mark.parametrize(
    ("model_id", "message"),
    [
        ("/not/there.nemo", "a .nemo file that is not on this machine"),
        ("{folder}", "has no .nemo file"),
        ("parakeet", "neither a model on this machine nor a hub id"),
    ],
)
def test_a_model_that_is_not_there_is_said_before_nemo_is_loaded(tmp_path, model_id, message):
    settings = TranscriptionSettings(
        engine="parakeet",
        model_id=model_id.format(folder=tmp_path),
        device="cpu",
        chunk_duration_s=500.0,
        whisper_model_size="bundled",
        whisper_compute_type="default",
        whisper_device="cpu",
        token="",
        model_store=tmp_path,
    )
    with pytest.raises(ConfigurationError, match=message):
        find_engine(settings)
