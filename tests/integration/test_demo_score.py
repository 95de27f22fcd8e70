"""The demo's two figures, by hand."""

import pytest

from orchestrator.demo import sample_folder
from orchestrator.demo_score import cp_word_error_rate, diarization_error_rate, score_lines, speaker_texts


@pytest.mark.parametrize(
    ("reference", "hypothesis", "rate"),
    [
        ({"A": "one two", "B": "three"}, {"X": "three", "Y": "one two"}, 0.0),
        ({"A": "one two", "B": "three"}, {"X": "one three", "Y": "two"}, 2 / 3),
        ({"A": "one two three four"}, {"X": "one two", "Y": "three four"}, 1.0),
        ({"A": "one two"}, {}, 1.0),
    ],
)
def test_cp_word_error_rate(reference, hypothesis, rate):
    assert cp_word_error_rate(reference, hypothesis) == pytest.approx(rate)


def test_the_reference_itself_has_no_errors():
    folder = sample_folder()
    turns = [line.split() for line in (folder / "sample.rttm").read_text().splitlines()]
    answer = {
        "duration": 30.0,
        "diarization_segments": [
            {"start": float(turn[3]), "end": float(turn[3]) + float(turn[4]), "speaker": turn[7]} for turn in turns
        ],
        "words": [
            {"word": word, "speaker": speaker}
            for speaker, text in speaker_texts(folder / "sample.stm").items()
            for word in text.split()
        ],
    }
    assert diarization_error_rate(answer, folder / "sample.rttm") == pytest.approx(0, abs=1e-6)
    assert "cpWER   0.0%" in score_lines(answer, reference=folder)
    answer["diarization_segments"] = []
    assert diarization_error_rate(answer, folder / "sample.rttm") == pytest.approx(1.0)
