"""The Sortformer engine with tiny networks of random weights, held against what NeMo itself makes of them."""

from itertools import groupby
from pathlib import Path

import numpy as np
import pytest

from common.errors import ConfigurationError, JobCancelledError
from common.settings import load_settings
from handlers.diarization import sortformer_network
from handlers.diarization.engine import SpeakerCount
from handlers.diarization.sortformer_engine import find_engine
from handlers.diarization.sortformer_models import LONG_CHUNKS, TUNINGS
from handlers.diarization.sortformer_network import SortformerNetwork
from handlers.nemo.checkpoint import restore
from handlers.nemo.quiet_import import import_nemo, quiet
from tests.support.pyannote_sample import DURATION_S, sample_audio
from tests.support.tiny_sortformer import make_sortformer, nemo_probabilities

pytestmark = pytest.mark.model

PARAKEET = Path(__file__).parent.parent / "fixtures" / "tiny_parakeet" / "tiny-parakeet-tdt.nemo"
TUNED = "diar_streaming_sortformer_4spk-v2"
ANY = SpeakerCount()
NETWORKS = {
    "offline": {"streaming": False, "normalize": "per_feature"},
    "streaming": {"streaming": True, "normalize": "NA"},
    "streaming_normalised": {"streaming": True, "normalize": "per_feature"},
}


@pytest.fixture(scope="module")
def audio():
    return sample_audio()


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory, audio):
    folder = tmp_path_factory.mktemp("sortformer")
    made = {name: make_sortformer(folder / f"{name}.nemo", audio, **kind) for name, kind in NETWORKS.items()}
    made[TUNED] = folder / f"{TUNED}.nemo"
    made[TUNED].hardlink_to(made["streaming"])
    return made


@pytest.fixture(scope="module")
def engines(checkpoints):
    def load(path):
        return find_engine(load_settings({"DIARIZATION_MODEL": str(path), "DIARIZATION_DEVICE": "cpu"}).diarization)()

    return {name: load(path) for name, path in checkpoints.items()}


def nemo_network(path):
    with quiet():
        return import_nemo().restore_from(str(path), map_location="cpu").eval()


def diarized(engine, samples, *, count=ANY, tick=lambda stage, fraction: None):
    return engine.diarize(samples, count=count, tick=tick)


def spans_by_appearance(spans):
    """Drop who is silent, order the others, and forget the last 10 ms, as NeMo does when the audio ends in speech."""
    return [np.minimum(own, DURATION_S - 0.01) for own in sorted((own for own in spans if own), key=lambda own: own[0])]


def nemo_spans(probabilities, **rule):
    from nemo.collections.asr.parts.utils.vad_utils import ts_vad_post_processing  # noqa: PLC0415 - takes seconds

    return spans_by_appearance(
        [ts_vad_post_processing(column, rule, unit_10ms_frame_count=8).tolist() for column in probabilities.T]
    )


def spans_of(turns):
    labels = sorted({turn.speaker for turn in turns})
    return spans_by_appearance([[[t.start, t.end] for t in turns if t.speaker == label] for label in labels])


def assert_same_spans(found, expected):
    assert [len(own) for own in found] == [len(own) for own in expected]
    assert all(np.allclose(own, other, atol=1e-4) for own, other in zip(found, expected, strict=True))


@pytest.mark.parametrize("name", NETWORKS)
def test_the_turns_are_those_of_nemos_own_forward_and_post_processing(engines, checkpoints, audio, name):
    probabilities = nemo_probabilities(nemo_network(checkpoints[name]), audio)
    found = diarized(engines[name], audio)
    assert probabilities.shape == (375, 4)
    assert len(found.turns) > 50
    assert [label for label, _ in groupby(sorted(turn.speaker for turn in found.turns))] == [
        f"SPEAKER_{number:02d}" for number in range(4)
    ]
    assert_same_spans(spans_of(found.turns), nemo_spans(probabilities))


def test_nvidias_models_are_run_with_nvidias_chunks_and_thresholds(engines, checkpoints, audio):
    network, rule = nemo_network(checkpoints[TUNED]), TUNINGS[TUNED].rule
    for name, value in LONG_CHUNKS.items():
        setattr(network.sortformer_modules, name, value)
    expected = nemo_spans(
        nemo_probabilities(network, audio),
        onset=rule.onset,
        offset=rule.offset,
        pad_onset=rule.pad_onset_s,
        pad_offset=rule.pad_offset_s,
        min_duration_on=rule.min_duration_on_s,
        min_duration_off=rule.min_duration_off_s,
    )
    found = diarized(engines[TUNED], audio)
    assert_same_spans(spans_of(found.turns), expected)
    assert found.turns != diarized(engines["streaming"], audio).turns


def test_exclusive_turns_are_the_most_probable_speaker_of_every_frame(engines, checkpoints, audio):
    probabilities = nemo_probabilities(nemo_network(checkpoints["streaming"]), audio).numpy()
    owners = np.where(probabilities.max(axis=1) > 0.5, probabilities.argmax(axis=1), -1)
    expected, frame = [], 0
    for owner, run in groupby(owners.tolist()):
        frames = len(list(run))
        expected += [(owner, frame * 0.08, (frame + frames) * 0.08)] if owner >= 0 else []
        frame += frames
    found = diarized(engines["streaming"], audio).exclusive
    numbers = {owner: f"SPEAKER_{n:02d}" for n, owner in enumerate(np.argsort((probabilities > 0.5).argmax(axis=0)))}
    assert [turn.speaker for turn in found] == [numbers[owner] for owner, _, _ in expected]
    assert np.allclose([(turn.start, turn.end) for turn in found], [span[1:] for span in expected])


@pytest.mark.parametrize("name", ["streaming", "streaming_normalised"])
def test_features_computed_in_pieces_are_those_of_the_whole(monkeypatch, checkpoints, audio, name):
    monkeypatch.setattr(sortformer_network, "PIECE_FRAMES", 701)
    odd = audio[: 29 * 16_000 + 77]
    expected = nemo_probabilities(nemo_network(checkpoints[name]), odd).numpy()
    network = SortformerNetwork(
        restore(checkpoints[name], device="cpu", variable="DIARIZATION_MODEL"), device="cpu", streaming={}
    )
    assert np.allclose(network.probabilities(odd, lambda fraction: None), expected, atol=1e-4)


@pytest.mark.parametrize(("name", "passes"), [("offline", 1), ("streaming", 19)])
def test_progress_is_reported_before_every_layer(engines, audio, name, passes):
    ticks = []
    diarized(engines[name], audio, tick=lambda stage, fraction: ticks.append(fraction))
    steps = passes * len(engines[name]._network._layers)
    assert [fraction for fraction in ticks if fraction > 0] == [step / steps for step in range(1, steps)]
    assert steps >= passes * 10
    assert ticks == sorted(ticks)


@pytest.mark.parametrize("name", ["offline", "streaming"])
def test_a_stopped_job_ends_at_once_and_the_next_gives_the_same_as_before(engines, audio, name):
    before, ticks = diarized(engines[name], audio), []

    def stop(stage, fraction):
        ticks.append(fraction)
        if fraction > 0.2:
            raise JobCancelledError("stopped")

    with pytest.raises(JobCancelledError):
        diarized(engines[name], audio, tick=stop)
    assert sum(fraction > 0.2 for fraction in ticks) == 1
    assert repr(diarized(engines[name], audio)) == repr(before)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("samples", [0, 1, 800, 16_000, 16_001])
def test_short_audio_has_turns_within_it(engines, audio, name, samples):
    found = diarized(engines[name], audio[:samples])
    assert all(0 <= turn.start < turn.end <= samples / 16_000 for turn in (*found.turns, *found.exclusive))
    assert bool(found.turns) == (samples > 0)


def test_with_fewer_speakers_as_much_is_heard(engines, audio):
    everyone = diarized(engines["offline"], audio)
    for speakers in (1, 2, 3):
        found = diarized(engines["offline"], audio, count=SpeakerCount(exact=speakers))
        assert {turn.speaker for turn in found.turns} == {f"SPEAKER_{number:02d}" for number in range(speakers)}
        heard_s, all_heard_s = (sum(t.end - t.start for t in one.exclusive) for one in (found, everyone))
        assert heard_s == pytest.approx(all_heard_s)


def test_another_nemo_model_is_no_sortformer():
    load = find_engine(load_settings({"DIARIZATION_MODEL": str(PARAKEET), "DIARIZATION_DEVICE": "cpu"}).diarization)
    with pytest.raises(ConfigurationError, match="no Sortformer"):
        load()


def test_the_engine_names_its_model_and_has_no_embeddings(engines, audio):
    engine = engines["streaming"]
    assert (engine.model, engine.device, engine.warnings, engine.embedding_dimension) == ("streaming", "cpu", (), 0)
    assert diarized(engine, audio).embeddings == {}
