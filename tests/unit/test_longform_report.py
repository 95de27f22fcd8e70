"""What the long-form benchmark prints and what it can read."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from benchmarks.longform.engines import seams_s
from benchmarks.longform.recordings import joined
from benchmarks.longform.report import Report, Row
from benchmarks.longform.scoring import SeamErrors, WordErrors
from common.timeline import Word

RATE = 16_000


def row(deletions, *, rtfx=50.0):
    errors = WordErrors(words=200, substitutions=2, deletions=deletions, insertions=1)
    return Row(errors=errors, rtfx=rtfx, duration_s=100.0)


def seams(count, *lost):
    return SeamErrors(
        seams=count,
        lost=lost,
        doubled=(Word("no", 7.0, 7.2),),
        lost_by_seam=lost,
        doubled_by_seam=(),
        invented=(Word("oh", 9.0, 9.2),) if lost else (),
        lost_elsewhere=2,
        doubled_elsewhere=0,
    )


@pytest.fixture
def report():
    return Report(
        about={"model": "tiny"},
        isolated=row(0),
        bounds={8.0: (row(5), seams(30, Word("yes", 3.0, 3.4))), 20.0: (row(1, rtfx=80.0), seams(10))},
        chunk_duration_s=20.0,
        start_errors_ms=(20.0, 40.0),
        arms={"one_pass": row(17, rtfx=4.0)},
        skipped={"fixed_cuts": "out of time"},
    )


def test_the_json_line_has_the_default_bound_and_the_seams_of_all(report):
    line = report.json_line()
    assert "\n" not in line
    found = json.loads(line)
    expected = {
        "wer_chunked": 2.0,
        "wer_isolated": 1.5,
        "seams": 40,
        "seam_errors": 1,
        "lost": 1,
        "doubled": 2,
        "lost_elsewhere": 4,
        "invented": 1,
        "start_median_ms": 20.0,
        "start_p95_ms": 40.0,
        "rtfx": 80.0,
        "rtfx_baselines": {"one_pass": 4.0},
        "wer_baselines": {"one_pass": 10.0},
        "skipped": {"fixed_cuts": "out of time"},
        "model": "tiny",
    }
    assert {name: found[name] for name in expected} == expected
    assert (found["bounds"]["8"]["wer"], found["bounds"]["8"]["seam_errors"]) == (4.0, 1)


def test_without_word_times_the_start_errors_are_null(report):
    report.start_errors_ms = None
    assert json.loads(report.json_line())["start_median_ms"] is None


def test_the_table_names_every_way_and_the_list_every_word(report):
    lines = report.table().splitlines()
    assert any(line.startswith("windows of 20 s (default)") and "2.00" in line for line in lines)
    assert any(line.startswith("one_pass") and "10.00" in line for line in lines)
    assert report.seam_list().splitlines() == [
        "      3.00 s  windows of 8 s: by the seam lost yes",
        "      3.00 s  windows of 8 s: lost yes",
        "      7.00 s  windows of 8 s: doubled no",
        "      7.00 s  windows of 20 s: doubled no",
        "      9.00 s  windows of 8 s: invented oh",
    ]


def test_utterances_of_a_folder_are_joined_with_pauses(tmp_path):
    texts = ["don't stop mister smith", "it is colour", "quatre cinq"]
    (tmp_path / "B_asr").mkdir()
    with (tmp_path / "B_asr" / "refs.jsonl").open("w") as lines:
        for number, (text, lang) in enumerate(zip(texts, ("en", "en", "fr"), strict=True)):
            soundfile.write(tmp_path / f"{number}.wav", np.full(RATE, 0.1 + 0.1 * number), RATE // 2)
            lines.write(json.dumps({"id": str(number), "audio": f"{number}.wav", "lang": lang, "text": text}) + "\n")
    found = joined(tmp_path, seed=1)
    assert not found.exact_times
    heard = {" ".join(word.text for word in one.words): found.samples[one.first : one.last] for one in found.utterances}
    assert sorted(heard) == sorted(texts[:2])
    for number, text in enumerate(texts[:2]):
        assert len(heard[text]) == 2 * RATE
        assert abs(np.median(heard[text]) - (0.1 + 0.1 * number)) < 0.01
    assert sorted(found.texts([word for one in found.utterances for word in one.words])) == sorted(
        ["do", "not", "stop", "mister", "smith", "it", "is", "color"]
    )
    assert [word.text for word in found.comparable([Word("Don't", 1.0, 1.5)])] == ["do", "not"]


def test_seams_lie_between_the_windows_of_the_engine():
    samples = np.random.default_rng(0).standard_normal(60 * RATE).astype(np.float32)
    for engine, bound_s, longest_s in (("parakeet", 10.0, 10.0), ("parakeet", 500.0, 20.0), ("whisper", 500.0, 20.0)):
        cuts = [0.0, *seams_s(samples, settings=SimpleNamespace(engine=engine), chunk_duration_s=bound_s), 60.0]
        assert cuts == sorted(cuts)
        assert max(np.diff(cuts)) <= longest_s
    assert seams_s(samples[: 20 * RATE], settings=SimpleNamespace(engine="parakeet"), chunk_duration_s=60.0) == []
