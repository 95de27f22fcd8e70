"""Both forms of `Retry-After`, and what is not one."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from common.retries import retry_after_s

NOW = datetime(2024, 2, 29, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("header", "expected_s"),
    [
        ("0", 0.0),
        ("7", 7.0),
        (" 7 ", 7.0),
        ("1.5", 1.5),
        ("86400", 60.0),
        ("9" * 400, 60.0),
        ("Thu, 29 Feb 2024 12:00:20 GMT", 20.0),
        ("Thu, 29 Feb 2024 12:00:20 -0000", 20.0),
        ("Thursday, 29-Feb-24 12:00:20 GMT", 20.0),
        ("Thu Feb 29 12:00:20 2024", 20.0),
        ("Thu, 29 Feb 2024 11:59:00 GMT", 0.0),
        ("Fri, 01 Mar 2024 00:00:00 GMT", 60.0),
    ],
)
def test_both_forms_are_read_and_bounded(header, expected_s):
    assert retry_after_s(header, now=NOW, cap_s=60.0) == expected_s


@pytest.mark.parametrize("header", [None, "", "  ", "-5", "+5", "1e3", "soon", "٣", "1.2.3", ".", "nan", "Thu, 99 Feb"])
def test_anything_else_asks_for_nothing(header):
    assert retry_after_s(header, now=NOW, cap_s=60.0) is None


def test_a_date_is_compared_with_now_in_whatever_zone():
    there = NOW.astimezone(timezone(timedelta(hours=9)))
    assert retry_after_s("Thu, 29 Feb 2024 12:00:20 GMT", now=there, cap_s=60.0) == 20.0


def test_a_date_beyond_what_can_be_counted_is_bounded_or_nothing():
    assert retry_after_s("Fri, 31 Dec 9999 23:59:59 GMT", now=NOW, cap_s=60.0) == 60.0
    assert retry_after_s("Fri, 31 Dec 99999 23:59:59 GMT", now=NOW, cap_s=60.0) is None
