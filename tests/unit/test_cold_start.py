import gc
import os
import subprocess
import sys
import time
from types import SimpleNamespace

import psutil
import pytest

from common import cold_start
from common.cold_start import ColdStart, growing, process_age_s, stage_passed, stages


def test_the_age_of_the_process_is_that_which_the_system_tells():
    assert process_age_s() == pytest.approx(time.time() - psutil.Process(os.getpid()).create_time(), abs=1.1)


def test_a_fresh_process_counts_from_its_start_not_from_the_import():
    code = (
        "import time; time.sleep(0.3); from common.cold_start import *; c = ColdStart(); c.ready(); print(c.take_s())"
    )
    began = time.monotonic()
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=20)
    assert 0.3 <= float(told.stdout) <= time.monotonic() - began


def test_it_is_told_to_the_first_who_asks_after_the_process_was_ready(monkeypatch):
    monkeypatch.setattr(cold_start, "process_age_s", lambda: 12.34567)
    start = ColdStart()
    assert start.take_s() == 0.0
    start.ready()
    assert [start.take_s(), start.take_s()] == [12.3457, 0.0]


@pytest.mark.parametrize(
    "stat",
    [
        None,
        "",
        "7 (python) S 1 2",
        "7 (a b) c) S " + " ".join(["1"] * 18) + " 0 1",  # a start at boot: a sandbox that does not tell
        "7 (python) S " + " ".join(["1"] * 18) + f" {10**12} 1",  # a start in the future
    ],
)
def test_where_the_system_does_not_tell_it_counts_from_the_import(stat, tmp_path):
    path = tmp_path / "stat"
    if stat is not None:
        path.write_text(stat)
    assert process_age_s(path) == pytest.approx(time.monotonic() - cold_start.IMPORTED_AT, abs=0.2)


def test_a_process_with_an_odd_name_is_read(tmp_path):
    ticks = os.sysconf("SC_CLK_TCK")
    started = int((time.clock_gettime(time.CLOCK_BOOTTIME) - 5000) * ticks)
    if started <= 0:
        pytest.skip("this machine was booted less than 5000 s ago")
    path = tmp_path / "stat"
    path.write_text("7 (a b) c) S " + " ".join(["1"] * 18) + f" {started} 1")
    assert process_age_s(path) == pytest.approx(5000, abs=0.5)


@pytest.fixture
def age(monkeypatch):
    """The age of the process, to be set; its stages begin anew."""
    told = SimpleNamespace(seconds=0.0)
    monkeypatch.setattr(cold_start, "process_age_s", lambda: told.seconds)
    monkeypatch.setattr(cold_start, "_stages_s", {})
    return told


def test_a_stage_is_what_has_passed_since_the_one_before(age):
    for age.seconds, stage in ((1.5, "imports"), (1.75, "find"), (4.0, "load"), (4.5, "sdk"), (5.25, "load")):
        stage_passed(stage)
    assert stages() == {"imports_s": 1.5, "find_s": 0.25, "load_s": 3.0, "sdk_s": 0.5}


def test_a_clock_that_went_back_makes_no_negative_stage(age):
    for age.seconds, stage in ((1.5, "imports"), (1.49, "find")):
        stage_passed(stage)
    assert stages() == {"imports_s": 1.5, "find_s": 0.0}


@pytest.fixture
def frozen(monkeypatch):
    """What was frozen, which is nothing really: the tests after this one look for garbage."""
    calls = []
    monkeypatch.setattr(gc, "freeze", lambda: calls.append(gc.isenabled()))
    return calls


def test_while_it_grows_no_garbage_is_looked_for(frozen):
    with growing():
        assert not gc.isenabled()
        with growing():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()
    assert frozen == [False]


def test_growth_that_fails_leaves_the_collector_on(frozen):
    with pytest.raises(MemoryError), growing():
        raise MemoryError
    assert gc.isenabled()
