"""What any text and number become on a line of a file."""

import math

import numpy as np
import pytest

from common.formats.escape import (
    clock,
    decimal_seconds,
    field_name,
    finite_confidence,
    flat,
    speaker_name,
)
from common.timeline import milliseconds


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (" a\t b\r\n\r\nc ", "a b c"),
        ("a\u2028b\u2029c\x85d\x0be\x0cf\x1cg", "a b c d e f g"),
        ("a\u00a0b\u3000c", "a b c"),
        ("a\x00b\x7fc\x9fd", "a b c d"),
        ("\ufeffa\ufeffb", "ab"),
        ("a\ud800b", "a\ufffdb"),
        ("\x00\n", ""),
        ("naïve 字🙂 --> &", "naïve 字🙂 --> &"),
    ],
)
def test_flat(text, line):
    assert flat(text) == line


@pytest.mark.parametrize(
    ("label", "field"),
    [("Ann Lee", "Ann_Lee"), ("a/b\\c", "a_b_c"), (";;<NA>", "___NA_"), ("\n", "_"), ("SPEAKER_00", "SPEAKER_00")],
)
def test_field_name(label, field):
    assert field_name(label) == field


def test_a_speaker_always_has_a_name():
    assert [speaker_name("\r\n"), speaker_name("Ann\nLee")] == ["_", "Ann Lee"]


def test_times():
    assert [milliseconds(s) for s in (0, 0.0004, 0.0006, np.float32(1.5), 1e308)] == [0, 0, 1, 1500, 10**12]
    assert [decimal_seconds(ms) for ms in (0, 7, 61_050)] == ["0.000", "0.007", "61.050"]
    assert [clock(ms, point=",") for ms in (0, 3_723_004, 360_000_000)] == [
        "00:00:00,000", "01:02:03,004", "100:00:00,000",
    ]  # fmt: skip


def test_confidences():
    assert [finite_confidence(c) for c in (None, math.nan, math.inf, 0.98765, 1)] == [None, None, None, 0.9877, 1.0]
