"""Log lines in both formats: the ids of the request at hand, safe values, typed fields."""

import asyncio
import json
import logging
import sys
from contextlib import contextmanager
from datetime import datetime, timedelta

import pytest

from common.logs import JsonFormatter, TextFormatter, current_request_id, log_event, request_context, set_up_logs


class Lines(logging.Handler):
    """Keeps what its formatter makes of every record."""

    def __init__(self, formatter):
        super().__init__()
        self.setFormatter(formatter)
        self.lines = []

    def emit(self, record):
        self.lines.append(self.format(record))


@pytest.fixture
def logger():
    made = logging.getLogger("parley.test")
    made.propagate = False
    made.setLevel(logging.INFO)
    yield made
    made.handlers.clear()


@pytest.fixture
def text(logger):
    handler = Lines(TextFormatter())
    logger.addHandler(handler)
    return handler.lines


@pytest.fixture
def objects(logger):
    handler = Lines(JsonFormatter())
    logger.addHandler(handler)
    return handler.lines


@contextmanager
def bare_root():
    """The root logger without pytest's handlers, put back afterwards."""
    root = logging.getLogger()
    kept, level = list(root.handlers), root.level
    root.handlers.clear()
    try:
        yield root
    finally:
        root.handlers[:] = kept
        root.setLevel(level)


def fail(message):
    raise ValueError(message)


def test_a_text_line_has_the_event_its_fields_and_the_request(logger, text):
    with request_context(request_id="req-7", job_id="job-1"):
        log_event(logger, "job_done", worker="transcription", total_s=1.5)
    log_event(logger, "idle")
    assert text[0].partition(" INFO ")[2] == (
        "parley.test job_done worker=transcription total_s=1.5 request_id=req-7 job_id=job-1"
    )
    assert text[1].partition(" INFO ")[2] == "parley.test idle"


def test_a_library_that_logs_plainly_gets_the_request_too(logger, text, objects):
    with request_context(request_id="req-7"):
        logger.warning("loaded %d layers", 24)
    assert text[0].endswith("WARNING parley.test loaded 24 layers request_id=req-7")
    line = json.loads(objects[0])
    assert (line["event"], line["request_id"], line["level"]) == ("loaded 24 layers", "req-7", "WARNING")


def test_a_field_goes_before_the_id_of_the_same_name(logger, text, objects):
    with request_context(request_id="req-7", job_id="outer"):
        log_event(logger, "child_done", job_id="inner")
    assert text[0].endswith("child_done job_id=inner request_id=req-7")
    assert json.loads(objects[0])["job_id"] == "inner"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("a\nb 2024 INFO root forged=1", '"a\\nb 2024 INFO root forged=1"'),
        ("a\u2028b", '"a\\u2028b"'),
        ('say "x"', '"say \\"x\\""'),
        ("", '""'),
        ("naïve", '"na\\u00efve"'),
        ("\x1b[31m", '"\\u001b[31m"'),
        ("plain-1.5/x=y", "plain-1.5/x=y"),
    ],
)
def test_no_value_of_a_field_can_break_out_of_it(logger, text, value, shown):
    log_event(logger, "event", first=value, second=2)
    assert text[0].endswith(f"event first={shown} second=2")
    assert len(text[0].splitlines()) == 1


def test_a_message_of_several_lines_stays_one(logger, text):
    logger.info("first\nsecond\x85third")
    assert text[0].endswith("first\\nsecond\\x85third")


def test_no_line_of_a_traceback_can_pass_for_a_line_of_the_log(logger, text):
    try:
        fail("bad\n2024-01-01 INFO forged")
    except ValueError:
        logger.exception("crashed")
    first, *traceback = text[0].splitlines()
    assert first.endswith("ERROR parley.test crashed")
    assert "    2024-01-01 INFO forged" in traceback
    assert all(line.startswith("    ") for line in traceback)


def test_a_stack_is_shown_in_both_formats(logger, text, objects):
    logger.info("here", stack_info=True)
    assert text[0].splitlines()[1] == "    Stack (most recent call last):"
    assert json.loads(objects[0])["stack"].startswith("Stack (most recent call last):")


def test_a_json_line_has_typed_fields_and_the_time_in_utc(logger, objects):
    with request_context(request_id="req-7", job_id="job-1"):
        log_event(
            logger,
            "measured",
            count=3,
            ratio=0.5,
            done=True,
            nothing=None,
            sizes=[1, 2],
            kind=ValueError,
            bad=float("nan"),
        )
    line = json.loads(objects[0])
    at = datetime.fromisoformat(line.pop("time"))
    assert at.utcoffset() == timedelta(0)
    assert line == {
        "level": "INFO",
        "logger": "parley.test",
        "event": "measured",
        "request_id": "req-7",
        "job_id": "job-1",
        "count": 3,
        "ratio": 0.5,
        "done": True,
        "nothing": None,
        "sizes": [1, 2],
        "kind": "<class 'ValueError'>",
        "bad": "nan",
    }


def test_what_json_cannot_hold_inside_a_value_becomes_text(logger, objects):
    log_event(logger, "measured", values=[float("inf")], level="mine")
    line = json.loads(objects[0], parse_constant=pytest.fail)
    assert line["values"] == "[inf]"
    assert line["level"] == "INFO"


def test_an_exception_is_in_the_one_line_of_json(logger, objects):
    try:
        fail("bad\nvalue")
    except ValueError:
        logger.exception("crashed")
    assert len(objects[0].splitlines()) == 1
    line = json.loads(objects[0])
    assert line["event"] == "crashed"
    assert line["exception"].startswith("Traceback")
    assert line["exception"].endswith("ValueError: bad\nvalue")


async def test_requests_at_the_same_time_keep_their_ids_in_tasks_and_threads(logger, objects):
    both_there = asyncio.Barrier(2)

    async def job(name):
        with request_context(request_id=name):
            await both_there.wait()
            await asyncio.create_task(part(name))
            await asyncio.to_thread(log_event, logger, "in_thread", name=name)
            await both_there.wait()
            log_event(logger, "after", name=name)
        assert current_request_id() is None

    async def part(name):
        await asyncio.sleep(0)
        log_event(logger, "in_task", name=name)

    await asyncio.gather(job("a"), job("b"))
    told = [(line["event"], line["name"], line["request_id"]) for line in map(json.loads, objects)]
    assert sorted(told) == [(event, name, name) for event in ("after", "in_task", "in_thread") for name in ("a", "b")]


def test_the_id_at_hand_can_be_asked_for():
    assert current_request_id() is None
    with request_context(request_id="outer"), request_context(request_id="inner"):
        assert current_request_id() == "inner"


def test_the_log_of_a_process_goes_to_stderr_and_can_change_its_format(capsys):
    with bare_root() as root:
        set_up_logs()
        logging.getLogger("one").info("as text")
        set_up_logs(log_format="json")
        logging.getLogger("two").info("as json")
        set_up_logs(logging.WARNING)
        logging.getLogger("three").info("not at all")
        assert len(root.handlers) == 1
    first, second = capsys.readouterr().err.splitlines()
    assert first.endswith(" INFO one as text")
    assert json.loads(second)["event"] == "as json"


def test_a_log_that_somebody_else_set_up_stays_as_it_is():
    other = logging.StreamHandler(sys.stdout)
    with bare_root() as root:
        root.addHandler(other)
        root.setLevel(logging.ERROR)
        set_up_logs(log_format="json")
        assert (root.handlers, root.level, other.formatter) == ([other], logging.ERROR, None)
