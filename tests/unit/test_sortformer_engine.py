"""The Sortformer engine around a network whose probabilities are written by hand, and finding its checkpoint."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from common.errors import ConfigurationError, EngineError, InputTooLargeError, InvalidInputError
from common.settings import load_settings
from common.timeline import Turn
from handlers.diarization import pyannote_engine, sortformer_engine
from handlers.diarization.activity import Binarization
from handlers.diarization.engine import Diarization, SpeakerCount
from handlers.diarization.engines import find_engine
from handlers.diarization.sortformer_engine import SortformerEngine
from handlers.diarization.sortformer_models import LONG_CHUNKS, Located, Tuning, locate

ANY = SpeakerCount()


class Network:
    """Hears three speakers in the first half second: the second for 0.24 s, the third 0.16 s, the first 0.08 s."""

    speakers = 4
    frame_s = 0.08

    def __init__(self, *, is_streaming=True, found=None):
        self.is_streaming = is_streaming
        self.found = found

    def probabilities(self, samples, report):
        report(0.5)
        columns = [[0.1] * 5 + [0.9], [0.9, 0.9, 0.9, 0.1, 0.1, 0.1], [0.1, 0.1, 0.1, 0.8, 0.8, 0.2], [0.0] * 6]
        return np.float32(columns).T if self.found is None else self.found


def engine(**network):
    return SortformerEngine(Network(**network), model="sorted", device="cpu", rule=Binarization())


def diarized(engine, *, seconds=0.5, count=ANY, tick=lambda stage, fraction: None):
    return engine.diarize(np.zeros(round(seconds * 16_000), np.float32), count=count, tick=tick)


def settings(model, **variables):
    return load_settings({"DIARIZATION_MODEL": str(model), "DIARIZATION_DEVICE": "cpu", **variables}).diarization


def test_the_turns_are_those_of_the_probabilities_and_progress_is_reported():
    ticks = []
    found = diarized(engine(), tick=lambda stage, fraction: ticks.append((stage, fraction)))
    turns = (Turn(0.0, 0.24, "SPEAKER_00"), Turn(0.24, 0.4, "SPEAKER_01"), Turn(0.4, 0.48, "SPEAKER_02"))
    assert found == Diarization(turns=turns, exclusive=turns, embeddings={})
    assert ticks == [("segmentation", 0.0), ("segmentation", 0.5)]


def test_audio_without_a_sample_has_no_turns():
    assert diarized(engine(), seconds=0) == Diarization(turns=(), exclusive=(), embeddings={})


@pytest.mark.parametrize("count", [SpeakerCount(exact=2), SpeakerCount(at_most=2), SpeakerCount(at_least=1, at_most=2)])
def test_of_more_speakers_than_asked_for_those_who_talk_longest_are_kept(count):
    turns = (Turn(0.0, 0.24, "SPEAKER_00"), Turn(0.24, 0.48, "SPEAKER_01"))
    assert diarized(engine(), count=count).turns == turns


@pytest.mark.parametrize("count", [SpeakerCount(exact=4), SpeakerCount(at_least=4), SpeakerCount(at_most=9)])
def test_as_many_speakers_as_it_has_outputs_can_be_asked_for(count):
    assert len(diarized(engine(), count=count).turns) == 3


@pytest.mark.parametrize(
    ("param", "count"),
    [("num_speakers", SpeakerCount(exact=5)), ("min_speakers", SpeakerCount(at_least=6, at_most=7))],
)
def test_more_speakers_than_it_has_outputs_are_refused_with_what_to_do(param, count):
    with pytest.raises(
        InvalidInputError, match=rf"at most 4 speakers apart, not \d; lower {param}, or .*pyannote"
    ) as error:
        diarized(engine(), count=count)
    assert error.value.param == param


def test_a_model_that_takes_all_audio_at_once_takes_five_minutes_a_streaming_one_any_length():
    assert diarized(engine(is_streaming=False), seconds=300).turns
    assert diarized(engine(is_streaming=True), seconds=301).turns
    with pytest.raises(
        InputTooLargeError, match=r"at most 300 s of audio, not 301 s; send less, or .*streaming"
    ) as error:
        diarized(engine(is_streaming=False), seconds=301)
    assert error.value.param == "audio"


def test_a_model_that_gives_no_numbers_has_failed():
    with pytest.raises(EngineError, match="gave no numbers"):
        diarized(engine(found=np.full((6, 4), np.nan, np.float32)))


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("/not/there.nemo", "a .nemo file that is not on this machine"),
        ("{folder}/sortformer", "has no .nemo file"),
        ("sortformer", "neither a .nemo file, nor a folder on this machine, nor a hub id"),
    ],
)
def test_a_model_that_is_not_there_is_said_before_nemo_is_loaded(tmp_path, model, message):
    (tmp_path / "sortformer").mkdir()
    with pytest.raises(ConfigurationError, match=message):
        find_engine(settings(model.format(folder=tmp_path), MODEL_STORE=str(tmp_path)))


def test_without_nemo_it_is_said_how_to_install_it(monkeypatch):
    monkeypatch.setattr(sortformer_engine.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigurationError, match=r"needs NVIDIA NeMo: run `pip install 'nemo_toolkit\[asr\]==3.0.0'`"):
        find_engine(settings("nvidia/diar_sortformer_4spk-v1"))


def test_a_checkpoint_is_found_as_file_in_a_folder_unpacked_and_in_the_model_store(tmp_path):
    hub_id = "nvidia/diar_streaming_sortformer_4spk-v2"
    snapshot = tmp_path / "models--nvidia--diar_streaming_sortformer_4spk-v2" / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    checkpoint = snapshot / "diar_streaming_sortformer_4spk-v2.nemo"
    checkpoint.touch()
    unpacked = tmp_path / "my-sortformer"
    unpacked.mkdir()
    (unpacked / "model_config.yaml").touch()
    assert locate(settings(checkpoint)) == Located("diar_streaming_sortformer_4spk-v2", checkpoint)
    assert locate(settings(snapshot)) == Located("abc", checkpoint)
    assert locate(settings(unpacked)) == Located("my-sortformer", unpacked)
    assert locate(settings(hub_id, MODEL_STORE=str(tmp_path))) == Located(hub_id, checkpoint)


def test_nvidias_models_are_run_as_nvidia_tuned_them_others_as_nemo_does():
    offline, streaming = (
        Located(f"nvidia/diar_{name}", Path()).tuning for name in ("sortformer_4spk-v1", "streaming_sortformer_4spk-v2")
    )
    assert (offline.rule.onset, offline.rule.offset, offline.streaming) == (0.64, 0.74, {})
    assert (streaming.rule.onset, streaming.rule.offset, streaming.streaming) == (0.56, 1.0, LONG_CHUNKS)
    assert Located("mine", Path()).tuning == Tuning(rule=Binarization(), streaming={})


@pytest.mark.parametrize(
    ("model", "module"),
    [
        ("bundled", pyannote_engine),
        ("pyannote/speaker-diarization-3.1", pyannote_engine),
        ("/models/pyannote", pyannote_engine),
        ("nvidia/diar_sortformer_4spk-v1", sortformer_engine),
        ("nvidia/diar_streaming_sortformer_4spk-v2", sortformer_engine),
        ("/models/mine.nemo", sortformer_engine),
    ],
)
def test_the_engine_is_the_one_for_the_model(monkeypatch, model, module):
    for one in (pyannote_engine, sortformer_engine):
        monkeypatch.setattr(one, "find_engine", lambda settings, one=one: (one, settings.model))
    assert find_engine(settings(model)) == (module, model)


def test_choosing_an_engine_imports_neither():
    code = "import sys, handlers.diarization.engines; print({'nemo', 'pyannote', 'torch'} & sys.modules.keys())"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"
