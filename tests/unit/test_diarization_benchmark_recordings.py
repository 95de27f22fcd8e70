import numpy as np
import pytest
import soundfile

from benchmarks.diarization.recordings import (
    COMPOSED,
    REAL,
    Recording,
    in_folder,
    joined,
    one_of_each_kind,
    recordings,
    spoken,
    uem_spans,
)
from common.timeline import Turn

RATE = 16_000


def recording(seconds, *turns, name="talk", kind=REAL, level=0.1):
    return Recording(
        name=name,
        kind=kind,
        samples=np.full(round(seconds * RATE), level, np.float32),
        turns=tuple(Turn(*turn) for turn in turns),
        uem=((0.0, seconds),),
    )


def write(folder, name, *, seconds, uem=None):
    folder.mkdir(parents=True, exist_ok=True)
    soundfile.write(folder / f"{name}.flac", np.zeros(seconds * RATE), RATE)
    (folder / f"{name}.rttm").write_text(f"SPEAKER {name} 1 1.0 2.0 <NA> <NA> a <NA> <NA>\n")
    if uem:
        (folder / f"{name}.uem").write_text(uem)


def test_a_folder_is_read_with_its_spans_but_for_the_sample_that_is_always_there(tmp_path):
    for name in ("meeting", "pyannote_sample"):
        write(tmp_path / "A_diar" / "audio", name, seconds=4)
        for kind in ("rttm", "uem"):
            (tmp_path / "A_diar" / kind).mkdir(exist_ok=True)
        (tmp_path / "A_diar" / "audio" / f"{name}.rttm").rename(tmp_path / "A_diar" / "rttm" / f"{name}.rttm")
    write(tmp_path / "C_spk" / "built", "c1", seconds=5, uem=";; a comment\nc1 1 0.5 2.5\n\nc1 1 3.0 4.5\n")
    found = list(in_folder(tmp_path))
    assert [(one.name, one.kind, one.duration_s) for one in found] == [("meeting", REAL, 4.0), ("c1", "built", 5.0)]
    assert [one.uem for one in found] == [((0.0, 4.0),), ((0.5, 2.5), (3.0, 4.5))]
    assert {one.turns for one in found} == {(Turn(1.0, 3.0, "a"),)}


def test_spans_are_in_the_third_and_fourth_column(tmp_path):
    (tmp_path / "a.uem").write_text("a 1 0.000 30.000\n")
    assert uem_spans(tmp_path / "a.uem") == ((0.0, 30.0),)


def test_without_a_folder_the_voices_of_the_sample_are_put_together_anew():
    sample, *remixed = recordings(None)
    assert (sample.name, sample.duration_s, len(sample.turns)) == ("pyannote_sample", 30.0, 10)
    assert [one.kind for one in remixed] == [COMPOSED, COMPOSED]
    assert [len({turn.speaker for turn in one.turns}) for one in remixed] == [2, 2]
    assert [one.turns for one in remixed] != [remixed[0].turns] * 2


def test_the_quick_run_has_less_than_a_minute_of_audio():
    assert sum(one.duration_s for one in recordings(None, quick=True)) <= 50


def test_the_first_seconds_have_their_own_turns_and_spans():
    cut = recording(10, (1, 4, "a"), (3, 6, "b"), (7, 8, "a")).first(5)
    assert (cut.duration_s, cut.turns, cut.uem) == (5.0, (Turn(1, 4, "a"), Turn(3, 5, "b")), ((0.0, 5.0),))


def test_joined_recordings_repeat_until_the_time_is_full():
    parts = [recording(4, (1, 2, "a"), level=0.1), recording(2, (0, 2, "b"), level=0.2)]
    whole = joined(parts, hours=9 / 3600)
    assert (whole.duration_s, whole.kind) == (9.0, "joined")
    assert whole.turns == (Turn(1, 2, "a"), Turn(4, 6, "b"), Turn(7, 8, "a"))
    assert whole.uem == ((0.0, 4.0), (4.0, 6.0), (6.0, 9.0))
    assert whole.samples[[0, 4 * RATE, 6 * RATE]].tolist() == pytest.approx([0.1, 0.2, 0.1])


def test_speech_alone_has_no_silence_and_no_second_twice():
    talk = recording(10, (1, 4, "a"), (3, 5, "b"), (3.5, 4, "c"), (8, 9, "a"))
    talk.samples[:] = np.repeat(np.arange(10), RATE)
    assert spoken([talk], hours=7 / 3600)[::RATE].tolist() == [1, 2, 3, 4, 8, 1, 2]
    with pytest.raises(ValueError, match="nobody speaks"):
        spoken([recording(3)], hours=1 / 3600)


def test_the_first_of_each_kind():
    parts = [recording(1, name="r1"), recording(1, name="r2"), recording(1, name="b1", kind="built")]
    assert [one.name for one in one_of_each_kind(parts)] == ["r1", "b1"]
