"""Words and turns are found once per content and code."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.attribution import dataset, recognition
from benchmarks.attribution.__main__ import asked_for
from benchmarks.attribution.conversations import Conversation
from benchmarks.attribution.recognition import Recogniser, fingerprint
from common.timeline import Turn, Word
from handlers.diarization.engine import Diarization
from handlers.transcription.engine import Hypothesis

WORD = Word("Hello.", 0.25, 0.5, confidence=0.5)


class Engines:
    """Both engines in one, which count their calls."""

    def __init__(self):
        self.calls = []

    def transcribe(self, samples, *, options, tick):
        self.calls.append("words")
        return Hypothesis(words=(WORD,), language="en")

    def diarize(self, samples, *, count, tick):
        self.calls.append("turns")
        turns = (Turn(0.12345, 1.0, "A"),)
        return Diarization(turns=turns, exclusive=turns * 2, embeddings={})


@pytest.fixture
def engines(monkeypatch):
    engines = Engines()
    monkeypatch.setattr(recognition.handler, "find_engine", lambda settings: lambda: engines)
    monkeypatch.setattr(recognition.pyannote_engine, "find_engine", lambda settings: lambda: engines)
    return engines


def conversation(samples):
    return Conversation(
        name="one", split="development", kind="real", samples=samples, utterances=(), turns=(), duration_s=1.0
    )


def test_the_second_time_nothing_is_run(engines, tmp_path):
    one = conversation(np.zeros(16000, np.float32))
    first, again = (Recogniser(tmp_path / "cache").hear(one) for _ in range(2))
    assert engines.calls == ["words", "turns"]
    assert first.words == again.words == (WORD,)
    assert first.spoken == again.spoken
    assert first.spoken.turns == (Turn(0.123, 1.0, "A"),)
    assert len(first.spoken.exclusive) == 2


def test_what_is_kept_is_known(engines, tmp_path):
    one = conversation(np.zeros(16000, np.float32))
    assert not Recogniser(tmp_path).knows(one)
    Recogniser(tmp_path).hear(one)
    assert Recogniser(tmp_path).knows(one)


def test_after_the_time_is_up_only_what_is_kept_is_taken(engines, tmp_path, monkeypatch, capsys):
    first, second, third = (conversation(np.full(16000, level, np.float32)) for level in (0.0, 0.1, 0.2))
    monkeypatch.setattr(dataset, "conversations", lambda data, *, quick: iter([first, second, third]))
    Recogniser(tmp_path).hear(third)
    found = [heard.conversation for heard in dataset.heard(None, quick=True, cache=tmp_path, until=0.0)]
    assert found == [first, third]
    assert capsys.readouterr().out == "one left out: no time to run the engines on it\n"


@pytest.mark.parametrize("environment", [{}, {"CACHE": "", "DATA": "", "QUICK": ""}])
def test_an_empty_setting_is_as_none(environment):
    options = asked_for(environment, started=0.0)
    assert options.cache == Path.home() / ".cache" / "parley" / "bench"
    assert (options.data, options.quick, options.until) == (None, False, float("inf"))


def test_folders_are_those_that_are_named():
    options = asked_for({"CACHE": "kept", "DATA": "recorded", "QUICK": "1"}, started=10.0)
    assert (options.cache, options.data, options.until) == (Path("kept"), Path("recorded"), 35.0)


def test_other_samples_are_heard_anew(engines, tmp_path):
    for level in (0.0, 0.1):
        Recogniser(tmp_path).hear(conversation(np.full(16000, level, np.float32)))
    assert engines.calls == ["words", "turns"] * 2


def test_other_code_hears_anew_and_other_comments_do_not(monkeypatch, tmp_path):
    monkeypatch.setattr(recognition, "ROOT", tmp_path)
    found = []
    for text in ("x = 1\n", "x = 1  # one\n\n", "x = 2\n"):
        fingerprint.cache_clear()
        (tmp_path / "engine.py").write_text(text, encoding="utf-8")
        found.append(fingerprint(("engine.py",), ()))
    fingerprint.cache_clear()
    assert found[0] == found[1] != found[2]


def test_a_conversation_without_audio_cannot_be_heard(tmp_path):
    with pytest.raises(ValueError, match="one has no audio"):
        Recogniser(tmp_path).hear(conversation(None))
