"""Known speakers with the bundled models: two real people in pyannote's sample, a synthetic voice as the stranger."""

from pathlib import Path

import numpy as np
import pytest
import soxr

from common.contract import DiarizationFields
from common.errors import InvalidInputError
from common.settings import DiarizationSettings
from common.voices import cosine
from handlers.diarization.handler import diarize
from handlers.diarization.known import embed_voice
from handlers.diarization.pyannote_engine import find_engine
from tests.fixtures.tiny_parakeet.espeak import Espeak
from tests.support.pyannote_sample import sample_audio

pytestmark = pytest.mark.model

RATE = 16_000
SPLIT_S = 18.0  # what is before it makes the voices known, what comes after it is the job's audio


def between(start_s, end_s):
    return sample_audio()[round(start_s * RATE) : round(end_s * RATE)]


# each alone, by sample.rttm
ANN = np.concatenate([between(8.4, 9.9), between(11.1, 14.4)])  # speaker90
BEN = between(14.75, 17.9)  # speaker91


def no_tick(stage, fraction):
    pass


@pytest.fixture(scope="module")
def engine():
    return find_engine(DiarizationSettings(model="bundled", device="cpu", token="", model_store=Path("/nowhere")))()


def recognised(engine, **voices):
    """The result for the second part of the sample, with the recordings of `voices` known."""
    known = [{"name": name, "audio": "fetched"} for name in voices]
    recordings = {f"known_speakers.{number}.audio": samples for number, samples in enumerate(voices.values())}
    fields = DiarizationFields(known_speakers=known, return_embeddings=True)
    return diarize(engine, fields, between(SPLIT_S, 30.0), no_tick, recordings)


@pytest.fixture(scope="module")
def both(engine):
    return recognised(engine, Stranger=synthetic_voice(), Ben=BEN, Ann=ANN)


def synthetic_voice():
    espeak = Espeak()
    espeak.select_voice("en", words_per_minute=150, pitch=50, pitch_range=50)
    words = "nobody in this recording has ever spoken like that and so it goes on"
    samples, _ = espeak.speak(words.split(" "))
    return soxr.resample(samples, espeak.sample_rate, RATE).astype(np.float32)


def speaking_at(result, second):
    return [one["speaker"] for one in result["segments"] if one["start"] <= second < one["end"]]


def test_two_people_are_called_by_their_names_where_they_speak(both):
    assert both["speakers"] == ["Ann", "Ben"]
    assert speaking_at(both, 20.0 - SPLIT_S) == ["Ann"]
    assert speaking_at(both, 25.0 - SPLIT_S) == ["Ben"]
    assert speaking_at(both, 29.0 - SPLIT_S) == ["Ann"]
    assert both["embeddings"].keys() == {"Ann", "Ben"}
    assert both["warnings"] == []


def test_every_match_says_how_alike_the_voices_are(both):
    assert [(one["speaker"], one["name"]) for one in both["speaker_matches"]] == [
        ("SPEAKER_00", "Ann"),
        ("SPEAKER_01", "Ben"),
    ]
    assert all(0.72 <= one["similarity"] < 1 for one in both["speaker_matches"])


def test_who_is_not_known_keeps_the_label(engine):
    result = recognised(engine, Stranger=synthetic_voice(), Ben=BEN)
    assert result["speakers"] == ["Ben", "SPEAKER_00"]
    assert [(one["speaker"], one["name"]) for one in result["speaker_matches"]] == [("SPEAKER_01", "Ben")]


def test_an_embedding_of_an_earlier_result_is_known_again(engine, both):
    known = [{"name": "Ann", "embedding": both["embeddings"]["Ann"]}]
    result = diarize(engine, DiarizationFields(known_speakers=known), between(SPLIT_S, 30.0), no_tick)
    assert result["speaker_matches"] == [{"speaker": "SPEAKER_00", "name": "Ann", "similarity": 1.0}]
    assert result["speakers"] == ["Ann", "SPEAKER_01"]


def test_silence_around_a_voice_does_not_change_it(engine):
    silence = np.zeros(2 * RATE, np.float32)
    alone, padded = (
        embed_voice(engine, samples, param="voice", tick=no_tick)[0]
        for samples in (ANN, np.concatenate([silence, ANN, silence]))
    )
    assert len(alone) == engine.embedding_dimension == 192
    assert cosine(alone, padded) > 0.95


def test_a_recording_of_two_people_is_the_one_who_speaks_longest_with_a_warning(engine):
    embedding, warnings = embed_voice(engine, np.concatenate([ANN, ANN, BEN]), param="voice", tick=no_tick)
    assert warnings == ["voice has several voices; the one that speaks longest was taken"]
    assert cosine(embedding, embed_voice(engine, ANN, param="voice", tick=no_tick)[0]) > 0.9


@pytest.mark.parametrize("samples", [np.zeros(3 * RATE, np.float32), BEN[:RATE]], ids=["silence", "one second"])
def test_too_little_speech_to_know_a_voice_by_is_refused(engine, samples):
    with pytest.raises(InvalidInputError, match="voice has too little speech to know the voice by"):
        embed_voice(engine, samples, param="voice", tick=no_tick)
