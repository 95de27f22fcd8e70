"""When to ask again: after growing, jittered pauses, and never before the other side wants it."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

FIRST_BACKOFF_S, LAST_BACKOFF_S = 0.5, 30.0


def backoffs(*, first_s: float | None = None, last_s: float | None = None) -> Iterator[float]:
    """Yield pauses in seconds, without end: each is random between half and all of a bound that doubles.

    Source: "equal jitter" of aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter.
    """
    bound_s = FIRST_BACKOFF_S if first_s is None else first_s
    most_s = LAST_BACKOFF_S if last_s is None else last_s
    while True:
        bound_s = min(bound_s, most_s)
        yield bound_s * random.uniform(0.5, 1.0)  # noqa: S311 - spreads retries, guards no secret
        bound_s *= 2


def retry_after_s(header: str | None, *, now: datetime, cap_s: float) -> float | None:
    """Return the seconds to wait from `now`, an aware time, 0 to `cap_s`; None without a header that says so.

    RFC 9110, section 10.2.3: whole seconds or an HTTP date, which is in UTC; one in the past is 0. Fractions of a
    second are read too, for some servers send them.
    """
    text = (header or "").strip()
    asked_s = _delay_s(text)
    if asked_s is None:
        asked_s = _until_s(text, now)
    return None if asked_s is None else min(max(asked_s, 0.0), cap_s)


def _delay_s(text: str) -> float | None:
    if not (text.isascii() and text.replace(".", "", 1).isdigit()):
        return None
    return float(text)  # of any number of digits: infinity at worst, which the cap bounds


def _until_s(text: str, now: datetime) -> float | None:
    try:
        date = parsedate_to_datetime(text)
        moment = date if date.tzinfo is not None else date.replace(tzinfo=UTC)
        return (moment - now).total_seconds()
    except (ValueError, OverflowError):
        return None
