"""docs/operations.md on cost: its tables are what its commands print, and the formula does what the page says."""

import math
import re
import shlex
import tomllib
from itertools import pairwise
from textwrap import dedent

import pytest

from benchmarks import cost
from benchmarks.cost import Load, case_of, table
from common.settings import PriceSettings
from tests.support.markdown_pages import ROOT, fences, pages

BLOCKS = [dedent(content) for _, content in fences(pages()["docs/operations.md"])]
SHOWN = [
    (shlex.split(command)[3:], printed)
    for command, printed in pairwise(BLOCKS)
    if command.startswith(".venv/bin/python -m benchmarks.cost")
]
IDLE_OPTIONS = ("--diarization-idle-s", "--transcription-idle-s", "--orchestrator-idle-s", "--combined-idle-s")
NEVER_IDLE = [word for option in IDLE_OPTIONS for word in (option, "0")]


@pytest.mark.parametrize(("arguments", "printed"), SHOWN)
def test_the_tables_are_what_the_commands_print(arguments, printed):
    assert table(case_of(arguments)) == printed.rstrip()


def test_both_tables_are_compared():
    assert len(SHOWN) == 2


def test_a_recording_is_billed_for_work_start_and_idle_seconds():
    load = Load(execution_s=60, start_s=15, idle_s=5)
    assert load.billed_s(0.5, 1e-9) == pytest.approx(30 + 15 + 5)
    assert load.billed_s(0.5, math.inf) == 30
    assert load.billed_s(0.5, 720) == pytest.approx(30 + 15 / math.e + 5 * (1 - 1 / math.e))  # one in five seconds


def test_an_hour_of_audio_costs_what_the_formula_says():
    arguments = "--hours 2 --diarization-price 0.0001 --transcription-price 0.0003"
    idle = "--diarization-idle-s 5 --transcription-idle-s 10 --orchestrator-idle-s 20 --combined-idle-s 40"
    costs = case_of(shlex.split(f"{arguments} {idle}")).costs(1e-9)
    split = (0.0001 * (120 + 15 + 5) + 0.0003 * (40 + 15 + 10)) / 2
    assert costs["client"] == pytest.approx(split)
    assert costs["orchestrator"] == pytest.approx(split + 0.00002 * (120 + 15 + 3 + 20) / 2)
    assert costs["combined"] == pytest.approx(0.0003 * (160 + 30 + 40) / 2)


def idle_timeouts(case):
    """Return the idle timeouts that a case reckons with, by worker."""
    loads = {worker: getattr(case, worker).idle_s for worker in cost.WORKERS}
    return {**loads, "combined": case.combined_idle_s}


def test_the_idle_timeouts_are_those_that_are_deployed(monkeypatch, tmp_path):
    deployed = tomllib.loads((ROOT / ".runpod" / "endpoints.toml").read_text(encoding="utf-8"))
    ours = {worker: deployed[worker]["idle_timeout_s"] for worker in (*cost.WORKERS, "combined")}
    assert idle_timeouts(case_of([])) == ours
    others = {"diarization": 7, "transcription": 8, "orchestrator": 9, "combined": 10}
    changed = tmp_path / "endpoints.toml"
    changed.write_text("".join(f"[{worker}]\nidle_timeout_s = {idle_s}\n" for worker, idle_s in others.items()))
    monkeypatch.setattr(cost, "DEPLOYED", changed)
    assert idle_timeouts(case_of([])) == others


def test_the_page_tells_the_idle_timeouts_that_are_deployed():
    told = pages()["docs/operations.md"].partition("- *Idle timeout*")[2].partition("\n\n")[0]
    deployed = idle_timeouts(case_of([]))
    gpu_s = {deployed[worker] for worker in ("diarization", "transcription", "combined")}
    assert f"{gpu_s.pop()} s for the GPU" in told
    assert not gpu_s
    assert f"{deployed['orchestrator']} s for the orchestrator" in told


def test_the_page_tells_what_idle_timeouts_cost_and_save():
    case = case_of([])
    pair = (case.diarization, case.transcription)
    billed_s = round(sum(load.billed_s(case.hours, 1e-9) for load in pair))
    idle_s = round(sum(load.waiting_s(1e-9) for load in pair))
    page = " ".join(pages()["docs/operations.md"].split())
    assert f"nearly half the bill ({idle_s} of the {billed_s} s of both GPU workers)" in page
    assert idle_s / billed_s == pytest.approx(0.46, abs=0.03)
    assert "at 60 an hour it saves four cold starts in ten" in page
    assert 1 - case.diarization.cold_share(60) == pytest.approx(0.4, abs=0.04)


def test_an_endpoint_without_an_idle_timeout_has_to_be_told_one(monkeypatch, tmp_path, capsys):
    changed = tmp_path / "endpoints.toml"
    changed.write_text('[diarization]\nscaler = "request_count"\n')
    monkeypatch.setattr(cost, "DEPLOYED", changed)
    with pytest.raises(SystemExit):
        case_of([])
    assert ", ".join(IDLE_OPTIONS) in capsys.readouterr().err
    assert set(idle_timeouts(case_of(NEVER_IDLE)).values()) == {0}


def test_workers_that_never_wait_start_for_each_recording_but_not_in_a_queue_without_end():
    case = case_of(NEVER_IDLE)
    assert case.diarization.billed_s(0.5, 60) == 30 + 15
    assert case.diarization.billed_s(0.5, math.inf) == 30
    assert table(case).splitlines()[-1] == table(case_of([])).splitlines()[-1]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ("--hours 0", "argument --hours: expected more than 0"),
        ("--hours -1", "argument --hours: expected 0 or more, got -1"),
        ("--hours inf", "argument --hours: expected 0 or more, got inf"),
        ("--combined-idle-s nan", "argument --combined-idle-s: expected 0 or more, got nan"),
        ("--diarization-price=-0.1", "argument --diarization-price: expected 0 or more, got -0.1"),
    ],
)
def test_what_cannot_be_is_refused(arguments, reason, capsys):
    with pytest.raises(SystemExit) as ended:
        case_of(shlex.split(arguments))
    assert ended.value.code == 2
    assert reason in capsys.readouterr().err


@pytest.mark.parametrize("per_hour", [0.1, 60, 1000])
def test_at_one_price_combined_saves_the_idle_seconds_of_one_worker(per_hour):
    case = case_of([])
    costs = case.costs(per_hour)
    saved = case.prices.diarization * case.diarization.waiting_s(per_hour) / case.hours
    assert costs["client"] - costs["combined"] == pytest.approx(saved, abs=2e-6)  # both are rounded


def test_split_is_cheaper_once_the_cheaper_gpu_saves_more_than_an_idle_timeout():
    def split_wins(cheaper_price):
        costs = case_of(["--diarization-price", str(cheaper_price)]).costs(1e-9)
        return costs["client"] < costs["combined"]

    even = 0.0002 * (30 + 15) / (30 + 15 + 30)  # (0.0002 - p) * (execution + start) = p * idle timeout
    assert split_wins(even - 1e-6)
    assert not split_wins(even + 1e-6)


def test_the_assumed_prices_are_said_to_be_none():
    page = pages()["docs/operations.md"]
    assert "None of its numbers is a price or a measurement" in page
    named = {f"--{name}" for name in re.findall(r"`--([a-z-]+)", page.partition("### What an hour")[2])}
    assert {"--diarization-price", "--diarization-s", "--transcription-s", "--diarization-start-s"} <= named
    assert {"--diarization-idle-s", "--combined-idle-s"} <= named
    assert case_of([]).prices != PriceSettings()
