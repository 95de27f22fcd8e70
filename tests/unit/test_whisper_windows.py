"""The window loop of the Whisper engine around a network that is not there."""

import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from common.errors import JobCancelledError
from handlers.transcription.whisper import WhisperEngine
from tests.support.audio_jobs import tone


class Model:
    def __init__(self, *, is_multilingual=True):
        self.is_multilingual = is_multilingual
        self.passes = []

    def encode(self, features):
        self.passes.append(features)
        return "encoded"


class Network:
    """Hears one word in every window that is not silent, in the language asked for or else in German."""

    supported_languages = ("en", "de", "fr")

    def __init__(self, **options):
        self.model = Model(**options)
        self.asked = []

    def transcribe(self, samples, *, language, **options):
        self.asked.append((len(samples) / 16_000, language))
        assert self.model.encode("features") == "encoded"
        word = SimpleNamespace(word=" ja", start=0.5, end=900.0, probability=0.9)
        heard = [SimpleNamespace(words=[word])] if samples.any() else []
        return iter(heard), SimpleNamespace(language=language or ("de" if heard else "fr"))


def engine(network, chunk_duration_s=500.0):
    return WhisperEngine(network, model="fake", device="cpu", chunk_duration_s=chunk_duration_s)


def heard(samples, network, *, setting=500.0, language=None, chunk_duration_s=None, tick=lambda stage, fraction: None):
    used = engine(network, setting)
    return used.transcribe(samples, language=language, chunk_duration_s=chunk_duration_s, tick=tick)


@pytest.mark.parametrize(("setting", "asked", "longest"), [(500.0, None, 20.0), (10.0, None, 10.0), (500.0, 7.0, 7.0)])
def test_no_window_is_longer_than_the_setting_the_request_and_the_encoder_allow(setting, asked, longest):
    network = Network()
    heard(tone(50), network, setting=setting, chunk_duration_s=asked)
    lengths = [seconds for seconds, _ in network.asked]
    assert sum(lengths) == pytest.approx(50)
    assert longest - 0.5 * longest <= max(lengths) <= longest


def test_words_of_later_windows_come_later_and_stay_inside_their_window():
    found = heard(tone(50), Network())
    starts = [round(word.start - 0.5, 3) for word in found.words]
    assert starts[0] == 0.0
    assert [word.end for word in found.words] == pytest.approx([*starts[1:], 50.0])


def test_the_language_of_the_first_window_with_words_is_that_of_the_rest():
    network, samples = Network(), tone(70)
    samples[: 25 * 16_000] = 0
    assert heard(samples, network).language == "de"
    assert [language for _, language in network.asked] == [None, None, *["de"] * (len(network.asked) - 2)]


@pytest.mark.parametrize(
    ("options", "language", "expected"),
    [({}, None, "und"), ({}, "fr-FR", "fr"), ({"is_multilingual": False}, None, "en")],
)
def test_the_language_of_silence_is_what_is_known_without_it(options, language, expected):
    assert heard(np.zeros(16_000, np.float32), Network(**options), language=language).language == expected


def test_progress_never_goes_back_and_is_complete_only_at_the_end():
    ticks = []
    heard(tone(50), Network(), tick=lambda stage, fraction: ticks.append(fraction))
    assert ticks == sorted(ticks)
    assert (ticks[0], ticks[-2] < 1.0, ticks[-1]) == (0.0, True, 1.0)


def test_a_stopped_job_ends_before_the_next_pass_and_leaves_the_network_as_it_was():
    network, ticks = Network(), []
    model = network.model

    def stop(stage, fraction):
        ticks.append(fraction)
        if len(ticks) == 2:
            raise JobCancelledError("stopped")

    with pytest.raises(JobCancelledError):
        heard(tone(50), network, tick=stop)
    assert (len(network.asked), model.passes) == (1, [])
    assert network.model is model


def test_importing_torch_makes_cublas_found_by_its_bare_name():
    script = "import torch, ctypes; torch.version.cuda and ctypes.CDLL(f'libcublas.so.{torch.version.cuda[:2]}')"
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
