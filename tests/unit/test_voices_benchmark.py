import json

import numpy as np
import soundfile

from benchmarks.voices.__main__ import chosen_threshold, halves, show
from benchmarks.voices.speech import Piece, Recording, built_conversations, by_speaker, clips, sample
from benchmarks.voices.trials import Diarized, Enrolment, Voices, embed_everybody, most_alike, name_speakers
from common.timeline import Turn
from handlers.diarization.engine import Diarization
from handlers.diarization.fake import FakeDiarization
from tests.support import pyannote_sample
from tests.support.audio_jobs import tone

RATE = 16_000


def recording(*turns, name="talk", utterances=()):
    return Recording(name=name, samples=tone(20.0), turns=tuple(Turn(*turn) for turn in turns), utterances=utterances)


def lengths(pieces):
    return [(piece.speaker, piece.utterance, len(piece.samples) / RATE) for piece in pieces]


def test_a_piece_is_the_longest_stretch_of_a_turn_in_which_nobody_else_speaks():
    talk = recording((0, 6, "a"), (1, 2, "b"), (5, 9, "b"), (12, 14, "a"))
    assert lengths(talk.pieces()) == [
        ("a", "talk-0", 3.0),
        ("b", "talk-1", 0.0),
        ("b", "talk-2", 3.0),
        ("a", "talk-3", 2.0),
    ]


def test_short_pieces_are_left_out_and_no_utterance_comes_twice():
    talks = [
        recording((0, 4, "a"), (5, 7, "a"), utterances=("one", "two")),
        recording((0, 4, "a"), utterances=("one",)),
    ]
    found = by_speaker(talks, None)
    assert {name: lengths(pieces) for name, pieces in found.items()} == {"a": [("a", "one", 4.0)]}


def test_built_conversations_are_read_with_their_utterances(tmp_path):
    folder = tmp_path / "C_spk" / "built"
    folder.mkdir(parents=True)
    soundfile.write(folder / "c1.flac", tone(3.0), RATE)
    entries = [{"start_time": 0.5, "end_time": 2.0, "speaker": "533_F", "utterance": "ls_533-1"}]
    (folder / "c1.seglst.json").write_text(json.dumps(entries))
    (found,) = built_conversations(tmp_path)
    assert (found.name, len(found.samples)) == ("c1", 48_000)
    assert (found.turns, found.utterances) == ((Turn(0.5, 2.0, "533"),), ("ls_533-1",))


def test_of_a_meeting_the_first_half_minute_is_read(tmp_path):
    for name in ("audio", "rttm"):
        (tmp_path / "A_diar" / name).mkdir(parents=True)
    soundfile.write(tmp_path / "A_diar" / "audio" / "ami_1.flac", tone(31.0), RATE)
    line = "SPEAKER ami_1 1 29.0 2.0 <NA> <NA> FEE005 <NA> <NA>\n"
    (tmp_path / "A_diar" / "rttm" / "ami_1.rttm").write_text(f"; a comment\n\n{line}")
    (found,) = clips(tmp_path)
    assert (found.name, len(found.samples), found.turns) == ("ami_1", 480_000, (Turn(29.0, 30.0, "FEE005"),))


def test_the_sample_is_that_of_pyannote():
    assert len(sample().samples) == 480_000
    assert [turn.start for turn in sample().turns] == [start for start, _, _ in pyannote_sample.reference_turns()]
    assert np.array_equal(sample().samples, pyannote_sample.sample_audio())


def test_what_is_heard_and_what_is_enrolled_are_other_utterances():
    pieces = [Piece(speaker="a", utterance=f"u{number}", samples=tone(4.0)) for number in range(4)]
    voices = embed_everybody(FakeDiarization(), {"a": pieces}, rounds=2, until=float("inf"))
    assert voices.heard == [("a", [0.0, 1.0])] * 2
    assert [(one.length_s, sorted(one.utterances)) for one in voices.enrolments] == [
        (3.0, ["u1"]),
        (5.0, ["u1", "u3"]),
        (3.0, ["u3"]),
    ]


def test_false_names_are_counted_where_everybody_but_the_voice_is_known():
    enrolments = [
        Enrolment(speaker=name, length_s=3.0, embedding=embedding, utterances=frozenset())
        for name, embedding in (("a", [1.0, 0.0]), ("b", [0.0, 1.0]))
    ]
    voices = Voices(heard=[("a", [1.0, 0.1]), ("b", [1.0, 0.8]), ("c", [-1.0, 0.0])], enrolments=enrolments)
    assert voices.falsely_named(3.0, threshold=0.7) == 1
    assert voices.falsely_named(5.0, threshold=0.7) == 0
    assert np.allclose(voices.similarities(3.0, same=True), [0.995, 0.6247], atol=1e-4)


def test_speakers_of_a_recording_are_known_only_by_other_utterances():
    turns = (Turn(0, 5, "SPEAKER_00"), Turn(5, 10, "SPEAKER_01"))
    heard = Diarization(turns=turns, exclusive=turns, embeddings={"SPEAKER_00": [1.0, 0.0], "SPEAKER_01": [0.0, 1.0]})
    talk = recording((0, 5, "a"), (5, 10, "b"), utterances=("u1", "u2"))
    found = Diarized(recording=talk, diarization=heard, truth={"SPEAKER_00": "a", "SPEAKER_01": "b"})
    enrolments = [
        Enrolment(speaker="a", length_s=3.0, embedding=[1.0, 0.1], utterances=frozenset({"u3"})),
        Enrolment(speaker="b", length_s=3.0, embedding=[0.1, 1.0], utterances=frozenset({"u2"})),
        Enrolment(speaker="c", length_s=3.0, embedding=[0.2, 1.0], utterances=frozenset({"u9"})),
    ]
    named = name_speakers([found], Voices(enrolments=enrolments), threshold=0.9)[3.0]
    assert (named.right, named.missed, named.strangers) == (1, 0, 1)
    assert named.false == ["b as c (0.9806)"]
    assert (named.worst_stranger, named.least_known) == (0.9806, 0.995)


def test_the_same_person_in_two_recordings_is_no_stranger():
    def one(truth, embedding):
        turns = (Turn(0, 5, "S"),)
        heard = Diarization(turns=turns, exclusive=turns, embeddings={"S": embedding})
        return Diarized(recording=recording((0, 5, truth)), diarization=heard, truth={"S": truth})

    assert most_alike([one("a", [1.0, 0.0]), one("a", [1.0, 0.0]), one("b", [3.0, 4.0])]) == 0.6
    assert most_alike([one("a", [1.0, 0.0])]) is None


def test_where_there_is_nothing_to_compare_the_table_says_so(capsys):
    table = halves(Voices(heard=[("a", [1.0, 0.0])]), ["a"], threshold=0.7)
    assert table["development"][3.0]["heard"] == 1
    figures = ("same_p5", "same_median", "different_p99", "different_max", "miss_rate")
    assert [table["development"][3.0][name] for name in figures] == [None] * 5
    assert chosen_threshold(table["development"]) is None
    show(table, threshold=0.7)
    assert "same person - (5 %) - (median)" in capsys.readouterr().out


def test_the_threshold_is_chosen_above_the_most_alike_strangers():
    rows = {3.0: {"different_max": 0.5}, 5.0: {"different_max": None}, 10.0: {"different_max": 0.4}}
    assert chosen_threshold(rows) == 0.6
