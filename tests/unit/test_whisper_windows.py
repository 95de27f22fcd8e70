"""The windows of the Whisper engine around a network that is not there."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Timer
from types import SimpleNamespace

import numpy as np
import pytest

from common.chunking import plan_windows
from common.errors import InvalidInputError, JobCancelledError
from handlers.transcription import long_form
from handlers.transcription.engine import DecodingOptions
from handlers.transcription.speech_detector import Speech
from handlers.transcription.whisper import WhisperEngine, _Asking
from handlers.transcription.words import MAX_WORD_S
from tests.support.audio_jobs import tone


class Model:
    def __init__(self, *, is_multilingual=True):
        self.is_multilingual = is_multilingual
        self.passes = []

    def encode(self, features):
        self.passes.append(features)
        return "encoded"


class Network:
    """Hears one word from the middle of every window that is not silent, in the language asked for or in German."""

    supported_languages = ("en", "de", "fr")
    hf_tokenizer = SimpleNamespace(encode=lambda text, add_special_tokens: SimpleNamespace(ids=text.split()))

    def __init__(self, *, fails_at=None, lasts_s=900.0, **options):
        self.model = Model(**options)
        self.lasts_s = lasts_s
        self.asked = []
        self.hotwords = set()
        self.fails_at = fails_at

    def transcribe(self, samples, *, language, hotwords, **options):
        self.asked.append((len(samples) / 16_000, language))
        self.hotwords.add(hotwords)
        if len(self.asked) == self.fails_at:
            raise RuntimeError("CUDA failed")
        assert self.model.encode("features") == "encoded"
        middle = len(samples) / 32_000
        word = SimpleNamespace(word=f" ja{len(self.asked)}", start=middle, end=middle + self.lasts_s, probability=0.9)
        heard = [SimpleNamespace(words=[word])] if samples.any() else []
        return iter(heard), SimpleNamespace(language=language or ("de" if heard else "fr"))


@pytest.fixture(autouse=True)
def speech(monkeypatch):
    """What the detector finds: nowhere certain, so that nothing is repaired, but possible everywhere."""
    found = {"certain": (), "possible": ((0.0, 1e9),)}
    monkeypatch.setattr(long_form, "find_speech", lambda samples, stop: Speech(**found))
    return found


def ignore(stage, fraction):
    pass


def heard(samples, network, *, setting=500.0, partial=False, tick=ignore, **options):
    engine = WhisperEngine(network, model="fake", device="cpu", chunk_duration_s=setting, partial=partial)
    return engine.transcribe(samples, options=DecodingOptions(**options), tick=tick)


@pytest.mark.parametrize(("setting", "asked", "longest"), [(500.0, None, 20.0), (10.0, None, 10.0), (500.0, 7.0, 7.0)])
def test_no_window_is_longer_than_the_setting_the_request_and_the_encoder_allow(setting, asked, longest):
    network = Network()
    heard(tone(50), network, setting=setting, chunk_duration_s=asked)
    lengths = [seconds for seconds, _ in network.asked]
    assert lengths == [(one.last - one.first) / 16_000 for one in plan_windows(tone(50), max_window_s=longest)]
    assert 0.5 * longest <= max(lengths) <= longest


def test_words_of_later_windows_come_later_and_stay_inside_their_window():
    network = Network()
    found = heard(tone(50), network)
    windows = [(one.first / 16_000, one.last / 16_000) for one in plan_windows(tone(50), max_window_s=20.0)]
    assert len(windows) >= 3
    middles = [(first + last) / 2 for first, last in windows]
    assert [word.start for word in found.words[:-1]] == pytest.approx(middles[: len(found.words) - 1])
    assert len(found.words) >= len(windows) - 1
    assert all(word.end <= last for word, (_, last) in zip(found.words, windows, strict=False))


def test_the_language_of_the_first_window_with_words_is_that_of_the_rest():
    network, samples = Network(), tone(70)
    samples[: 34 * 16_000] = 0
    assert heard(samples, network).language == "de"
    languages = [language for _, language in network.asked]
    silent = sum(not samples[one.first : one.last].any() for one in plan_windows(samples, max_window_s=20.0))
    assert languages == [*[None] * (silent + 1), *["de"] * (len(languages) - silent - 1)]
    assert 1 <= silent <= len(languages) - 3


@pytest.mark.parametrize(
    ("options", "language", "expected"),
    [({}, None, "und"), ({}, "fr-FR", "fr"), ({"is_multilingual": False}, None, "en")],
)
def test_the_language_of_silence_is_what_is_known_without_it(options, language, expected):
    assert heard(np.zeros(16_000, np.float32), Network(**options), language=language).language == expected


def test_one_jobs_language_is_not_the_next_ones():
    network = Network()
    engine = WhisperEngine(network, model="fake", device="cpu", chunk_duration_s=20.0, partial=False)
    for options in (DecodingOptions(language="fr"), DecodingOptions()):
        engine.transcribe(tone(5), options=options, tick=ignore)
    assert network.asked == [(5.0, "fr"), (5.0, None)]


@pytest.mark.parametrize(("hotwords", "expected"), [((), None), (("Parley", "Dr. No"), "Parley, Dr. No")])
def test_hotwords_reach_every_window(hotwords, expected):
    network = Network()
    heard(tone(50), network, hotwords=hotwords)
    assert network.hotwords == {expected}


def test_more_hotwords_than_the_prompt_holds_are_refused():
    network = Network()
    heard(tone(5), network, hotwords=("name",) * 215)
    with pytest.raises(InvalidInputError, match="215 tokens") as caught:
        heard(tone(5), network, hotwords=("name",) * 216)
    assert caught.value.param == "hotwords"


def test_only_the_spans_are_heard():
    network = Network()
    found = heard(tone(50), network, spans=((16_000, 5 * 16_000), (20 * 16_000, 30 * 16_000)))
    assert [seconds for seconds, _ in network.asked] == [4.0, 10.0]
    assert [word.start for word in found.words] == pytest.approx([3.0, 25.0])
    assert [word.end for word in found.words] == pytest.approx([5.0, 25.0 + MAX_WORD_S])
    assert found.coverage is None


def test_speech_without_words_is_heard_again_alone(speech):
    speech["certain"] = ((5.0, 7.0),)
    network = Network(lasts_s=0.3)
    found = heard(tone(50), network)
    asked = [round(seconds, 2) for seconds, _ in network.asked[-3:]]
    assert asked == [2.6, 3.75, 3.45]  # the first time it hears a word in the middle of it, then two around that
    assert [word.start for word in found.words if 4 < word.start < 8] == pytest.approx([5.375, 6.0, 6.775])
    assert (found.coverage.speech_s, found.coverage.repaired_s) == pytest.approx((2.0, 2.0))
    assert found.coverage.empty == ()


def test_progress_never_goes_back_and_is_complete_only_at_the_end():
    ticks = []
    heard(tone(50), Network(), tick=lambda stage, fraction: ticks.append(fraction))
    assert ticks == sorted(ticks)
    assert (ticks[0], ticks[-2] < 1.0, ticks[-1]) == (0.0, True, 1.0)


@pytest.mark.parametrize("partial", [False, True])
def test_a_stopped_job_ends_before_the_next_pass_and_leaves_the_network_as_it_was(partial):
    network, ticks = Network(), []
    model = network.model

    def stop(stage, fraction):
        ticks.append(fraction)
        if len(ticks) == 2:
            raise JobCancelledError("stopped")

    with pytest.raises(JobCancelledError):
        heard(tone(50), network, tick=stop, partial=partial)
    assert (len(network.asked), model.passes) == (1, [])
    assert network.model is model


def test_a_stopped_job_leaves_a_pass_behind_and_the_next_job_waits_for_it():
    free, order = Event(), []

    class Slow:
        def encode(self, job):
            if job == "first":
                free.wait(10)
            order.append(job)
            return job

    class Fast:
        asked = 0

        def __call__(self):
            self.asked += 1
            if self.asked == 3:
                raise JobCancelledError("stopped")

    with ThreadPoolExecutor(1) as passes:
        with pytest.raises(JobCancelledError):
            _Asking(Slow(), Fast(), passes).encode("first")
        assert order == []
        Timer(0.2, free.set).start()
        assert _Asking(Slow(), lambda: None, passes).encode("second") == "second"
    assert order == ["first", "second"]


def test_a_window_on_which_the_model_fails_fails_the_job_and_leaves_the_network_as_it_was():
    network = Network(fails_at=2)
    model = network.model
    with pytest.raises(RuntimeError, match="CUDA failed"):
        heard(tone(50), network)
    assert network.model is model


def test_in_a_partial_result_only_the_words_of_the_failed_window_are_missing():
    whole = heard(tone(50), Network())
    network = Network(fails_at=2)
    found = heard(tone(50), network, partial=True)
    assert found.words == (whole.words[0], *whole.words[2:])
    failed = plan_windows(tone(50), max_window_s=20.0)[1]
    assert found.coverage.failed == ((failed.core_first / 16_000, failed.core_last / 16_000),)


def test_importing_torch_makes_cublas_found_by_its_bare_name():
    script = "import torch, ctypes; torch.version.cuda and ctypes.CDLL(f'libcublas.so.{torch.version.cuda[:2]}')"
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
