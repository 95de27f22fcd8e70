"""`python -m benchmarks.cost`: what an hour of audio costs by prices, speeds and traffic, all of them yours to give.

Recordings come at random, seldom several at a time, and each endpoint has one worker, which is stopped when none came
for its idle timeout: by default that of `.runpod/endpoints.toml`. The other defaults are round numbers to reckon with,
neither prices nor measurements.
"""

import argparse
import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from common.cost import cost
from common.settings import PriceSettings

SECONDS_PER_HOUR = 3600
DEPLOYED = Path(__file__).parents[1] / ".runpod" / "endpoints.toml"
TRAFFIC = {"1 a day": 1 / 24, "1 an hour": 1.0, "10 an hour": 10.0, "60 an hour": 60.0, "without end": math.inf}
SETUPS = ("client", "orchestrator", "combined")
WORKERS = ("diarization", "transcription", "orchestrator")
PRICES = {"diarization-price": 0.0002, "transcription-price": 0.0002, "orchestrator-price": 0.00002}
EXECUTIONS = {"diarization-s": 60.0, "transcription-s": 20.0}
STARTS = {"diarization-start-s": 15.0, "transcription-start-s": 15.0, "orchestrator-start-s": 3.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What an endpoint is asked for: seconds of work for an hour of audio, of a cold start, of its idle timeout."""

    execution_s: float
    start_s: float
    idle_s: float

    def cold_share(self, per_hour: float) -> float:
        """Return which part of the recordings meets no worker: none came for the idle timeout, arrivals by Poisson."""
        return 0.0 if math.isinf(per_hour) else math.exp(-per_hour * self.idle_s / SECONDS_PER_HOUR)

    def waiting_s(self, per_hour: float) -> float:
        """Return how long a worker is idle after a recording, on average: until the next one or its timeout."""
        return 0.0 if math.isinf(per_hour) else SECONDS_PER_HOUR / per_hour * (1 - self.cold_share(per_hour))

    def busy_s(self, hours: float, per_hour: float) -> float:
        """Return the seconds of work for one recording, its share of cold starts included."""
        return self.execution_s * hours + self.cold_share(per_hour) * self.start_s

    def billed_s(self, hours: float, per_hour: float) -> float:
        """Return the seconds that one recording is billed for."""
        return self.busy_s(hours, per_hour) + self.waiting_s(per_hour)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Prices per second, what the workers take, and the length of a recording in hours."""

    prices: PriceSettings
    diarization: Load
    transcription: Load
    orchestrator: Load
    combined_idle_s: float
    hours: float

    def costs(self, per_hour: float) -> dict[str, float]:
        """Return the cost of an hour of audio by setup."""
        split = {
            "diarization": self.diarization.billed_s(self.hours, per_hour),
            "transcription": self.transcription.billed_s(self.hours, per_hour),
        }
        children_s = max(load.busy_s(self.hours, per_hour) for load in (self.diarization, self.transcription))
        orchestrated = {**split, "orchestrator": children_s + self.orchestrator.billed_s(self.hours, per_hour)}
        both = Load(
            execution_s=self.diarization.execution_s + self.transcription.execution_s,
            start_s=self.diarization.start_s + self.transcription.start_s,
            idle_s=self.combined_idle_s,
        )
        dearer = max(self.prices.diarization, self.prices.transcription)
        combined_prices = replace(self.prices, diarization=0.0, transcription=dearer)
        billed: tuple[Mapping[str, float], ...] = (
            split,
            orchestrated,
            {"transcription": both.billed_s(self.hours, per_hour)},
        )
        prices = (self.prices, self.prices, combined_prices)
        totals = [(cost(*one) or {"total": 0.0})["total"] for one in zip(prices, billed, strict=True)]
        return {name: total / self.hours for name, total in zip(SETUPS, totals, strict=True)}


def case_of(arguments: Sequence[str] | None = None) -> Case:
    """Read the case from the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cost", description="Cost of an hour of audio.")
    for name, default in {**PRICES, **EXECUTIONS, **STARTS}.items():
        parser.add_argument(f"--{name}", type=amount, default=default, help="default %(default)s")
    for name, idle_s in deployed_idle_s().items():
        told = {"required": True} if idle_s is None else {"default": idle_s, "help": "default %(default)s, as deployed"}
        parser.add_argument(f"--{name}-idle-s", type=amount, **told)
    parser.add_argument("--hours", type=length, default=0.5, help="of a recording, default %(default)s")
    read = vars(parser.parse_args(arguments))
    loads = {
        worker: Load(
            execution_s=read.get(f"{worker}_s", 0.0),
            start_s=read[f"{worker}_start_s"],
            idle_s=read[f"{worker}_idle_s"],
        )
        for worker in WORKERS
    }
    prices = PriceSettings(**{worker: read[f"{worker}_price"] for worker in WORKERS})
    return Case(prices=prices, hours=read["hours"], combined_idle_s=read["combined_idle_s"], **loads)


def deployed_idle_s() -> dict[str, float | None]:
    """Return the idle timeout of each endpoint as `parley deploy` sets it; None where it leaves that alone."""
    endpoints = tomllib.loads(DEPLOYED.read_text(encoding="utf-8"))
    return {name: endpoints.get(name, {}).get("idle_timeout_s") for name in (*WORKERS, "combined")}


def amount(text: str) -> float:
    """Read a price or seconds: 0 or more."""
    value = float(text)
    if not (math.isfinite(value) and value >= 0):
        raise argparse.ArgumentTypeError(f"expected 0 or more, got {text}")
    return value


def length(text: str) -> float:
    """Read the length of a recording: more than 0."""
    value = amount(text)
    if value == 0:
        raise argparse.ArgumentTypeError("expected more than 0: a recording has a length")
    return value


def table(case: Case) -> str:
    """Return the cost of an hour of audio by traffic and setup, as text."""
    lines = [f"{'recordings':<14}" + "".join(f"{name:>14}" for name in SETUPS)]
    for title, per_hour in TRAFFIC.items():
        lines.append(f"{title:<14}" + "".join(f"{total:>14.4f}" for total in case.costs(per_hour).values()))
    return "\n".join(lines)


if __name__ == "__main__":
    print(table(case_of()))
