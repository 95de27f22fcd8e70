from typing import get_args

import pytest

from common.answer import Heard, build_answer
from common.contract import ResponseFormat, TranscriptionFields
from common.coverage import Coverage
from common.timeline import SpeakerTurns, Turn, Word

WARNING = "1.5 s of speech have no words (see coverage)"
COVERAGE = Coverage(speech_s=4.0, repaired_s=1.0, empty=((2.0, 3.5),))
REPORT = {"model": "m", "device": "cpu", "warnings": ["slow"]}


def answer(response_format="verbose_json", coverage=COVERAGE, report=REPORT):
    heard = Heard(words=(Word("Hello", 0.0, 0.5),), language="en", duration_s=4.0, coverage=coverage)
    fields = TranscriptionFields(response_format=response_format)
    return build_answer(heard, spoken=SpeakerTurns(turns=(Turn(0.0, 4.0, "A"),)), fields=fields, report=report)


@pytest.mark.parametrize("response_format", get_args(ResponseFormat))
def test_every_format_comes_with_the_coverage_and_its_warning(response_format):
    found = answer(response_format)
    assert found["coverage"] == {
        "speech_s": 4.0,
        "repaired_s": 1.0,
        "empty_s": 1.5,
        "empty": [{"start": 2.0, "end": 3.5}],
        "failed": [],
    }
    assert found["warnings"] == ["slow", WARNING]
    assert found["model"] == "m"


def test_coverage_that_is_not_known_is_not_told():
    found = answer(coverage=None)
    assert "coverage" not in found
    assert found["warnings"] == ["slow"]


def test_the_warning_is_given_once():
    assert answer(report={**REPORT, "warnings": [WARNING]})["warnings"] == [WARNING]


def test_without_a_report_the_coverage_is_there_all_the_same():
    found = answer(report=None)
    assert found["coverage"]["empty_s"] == 1.5
    assert "warnings" not in found
