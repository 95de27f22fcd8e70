"""What the benchmark found, as a table and as one line of JSON."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from statistics import fmean
from typing import Any

from benchmarks.diarization.arms import FAST, STOCK, TRIAL
from benchmarks.diarization.measure import Row
from benchmarks.diarization.meter import megabytes
from benchmarks.diarization.recordings import COMPOSED
from benchmarks.diarization.scoring import Errors

HEADER = (
    f"{'':24}{'':>9}{'minutes':>8}{'speakers':>9}{'found':>9}{'DER %: fast':>13}{'stock':>7}{'trial':>7}"
    f"{'agree':>7}{'s: fast':>9}{'stock':>8}{'times':>7}{'MB':>6}"
)


@dataclass(slots=True, kw_only=True)
class Report:
    """All rows; the figures are of those that were not composed here, unless those are too few (`pool_all`)."""

    rows: Sequence[Row]
    pool_all: bool
    device: str
    model: str
    notes: Sequence[str] = ()

    @property
    def pooled(self) -> list[Row]:
        """The rows that the error rates are of; the speed is that of all."""
        return [row for row in self.rows if self.pool_all or row.kind != COMPOSED]

    def summary(self) -> str:
        """Return lines to read below the table."""
        return "\n".join([*self._groups(), *self._comparison(), *self.notes])

    def json_line(self) -> str:
        """Return everything as one line of JSON: error rates in percent, differences in points."""
        rows, worst = self.pooled, self.worst()
        trial = {"trial": figures(rows, TRIAL), "ratio_to_trial": self.ratio_to_trial()} if self._has_trial() else {}
        document = {
            "der": figures(rows, FAST)["der"],
            "der_stock": figures(rows, STOCK)["der"],
            "speedup": round(self.ratio("seconds"), 2),
            "peak_mb": megabytes(max(_cost(row, FAST).peak_bytes for row in self.rows)),
            "device": self.device,
            "speedup_cpu": round(self.ratio("cpu_s"), 2),
            "peak_mb_stock": megabytes(max(_cost(row, STOCK).peak_bytes for row in self.rows)),
            "peak_gpu_mb": megabytes(max(_cost(row, FAST).gpu_bytes for row in self.rows)),
            "worst_difference": round(worst.difference, 2),
            "worst_recording": worst.name,
            "speakers_right": figures(rows, FAST)["speakers_right"],
            "agreement": round(self.agreement().der, 2),
            "fast": figures(rows, FAST),
            "stock": figures(rows, STOCK),
            **trial,
            "kinds": {kind: _by_arm([row for row in self.rows if row.kind == kind]) for kind in self._kinds()},
            "audio_s": round(sum(row.duration_s for row in self.rows), 1),
            "recordings": len(self.rows),
            "model": self.model,
            "notes": list(self.notes),
        }
        return json.dumps(document, allow_nan=False)

    def ratio(self, of: str) -> float:
        """Return how many times longer pyannote takes for all recordings together."""
        return _sum(self.rows, STOCK, of) / _sum(self.rows, FAST, of)

    def worst(self) -> Row:
        """Return the row that Parley loses most in."""
        return max(self.rows, key=lambda row: row.difference)

    def agreement(self) -> Errors:
        """Return the errors with pyannote's turns for the truth."""
        return reduce(add, (row.agreement for row in self.rows if row.agreement), Errors())

    def ratio_to_trial(self) -> float | None:
        """Return the mean error rate as a share of that of the first parameters."""
        ours, trial = (figures(self.pooled, arm)["der"] for arm in (FAST, TRIAL))
        return round(ours / trial, 3) if trial else None

    def _groups(self) -> Iterator[str]:
        for kind in self._kinds():
            rows = [row for row in self.rows if row.kind == kind]
            yield from (f"{f'{kind} ({len(rows)})':14} {arm:6} {described(rows, arm)}" for arm in rows[0].runs)
        if len(self._kinds()) > 1:
            yield from (
                f"{f'set ({len(self.pooled)})':14} {arm:6} {described(self.pooled, arm)}" for arm in self._arms()
            )

    def _comparison(self) -> Iterator[str]:
        seconds, worst = [_sum(self.rows, arm, "seconds") for arm in (STOCK, FAST)], self.worst()
        audio_s = sum(row.duration_s for row in self.rows)
        yield (
            f"{self.model} on {self.device}: {audio_s:.0f} s of audio in {seconds[0]:.1f} s by pyannote, "
            f"{seconds[1]:.1f} s by Parley ({audio_s / seconds[1]:.0f} times real time): {self.ratio('seconds'):.2f} "
            f"times as fast, {self.ratio('cpu_s'):.2f} by processor time"
        )
        yield (
            f"the recording that changes for the worst: {worst.name}, {worst.difference:+.2f} points; Parley's turns "
            f"against pyannote's: DER {self.agreement().der:.2f} %"
        )
        ratio = self.ratio_to_trial() if self._has_trial() else None
        if ratio is not None:
            yield f"mean DER {ratio:.3f} times that of the first parameters"

    def _kinds(self) -> list[str]:
        return list(dict.fromkeys(row.kind for row in self.rows))

    def _arms(self) -> list[str]:
        return list(self.rows[0].runs)

    def _has_trial(self) -> bool:
        return TRIAL in self._arms()


def line(row: Row) -> str:
    """Return a row of the table under HEADER."""
    stock, fast, trial = row.runs[STOCK], row.runs[FAST], row.runs.get(TRIAL)
    seconds = [_cost(row, arm).seconds for arm in (FAST, STOCK)]
    found = "/".join(str(run.speakers) for run in (fast, stock, trial) if run)
    return (
        f"{row.name:24}{row.kind:>9}{row.duration_s / 60:8.1f}{row.speakers:9}{found:>9}{fast.errors.der:13.1f}"
        f"{stock.errors.der:7.1f}{f'{trial.errors.der:.1f}' if trial else '-':>7}"
        f"{(row.agreement or Errors()).der:7.1f}{seconds[0]:9.2f}{seconds[1]:8.2f}{seconds[1] / seconds[0]:7.2f}"
        f"{megabytes(_cost(row, FAST).peak_bytes):6}"
    )


def total(rows: Sequence[Row], arm: str) -> Errors:
    """Add up the errors of an arm."""
    return reduce(add, (row.runs[arm].errors for row in rows), Errors())


def right(rows: Sequence[Row], arm: str) -> int:
    """Return in how many recordings an arm finds the right number of speakers."""
    return sum(row.runs[arm].speakers == row.speakers for row in rows)


def figures(rows: Sequence[Row], arm: str) -> dict[str, Any]:
    """Return an arm's mean DER, its pooled DER with its parts (%), and its share of right numbers of speakers."""
    pooled = total(rows, arm)
    return {
        "der": round(fmean(row.runs[arm].errors.der for row in rows), 2),
        "der_pooled": round(pooled.der, 2),
        "missed": round(pooled.percent(pooled.missed_s), 2),
        "false_alarm": round(pooled.percent(pooled.false_alarm_s), 2),
        "confusion": round(pooled.percent(pooled.confusion_s), 2),
        "speakers_right": round(right(rows, arm) / len(rows), 3),
    }


def described(rows: Sequence[Row], arm: str) -> str:
    """Return the same as a line to read."""
    found = figures(rows, arm)
    return (
        f"DER {found['der']:6.2f} % on average, {found['der_pooled']:6.2f} % pooled (missed {found['missed']:.2f}, "
        f"false alarm {found['false_alarm']:.2f}, confusion {found['confusion']:.2f}); "
        f"number of speakers right in {right(rows, arm)} of {len(rows)}"
    )


def _by_arm(rows: Sequence[Row]) -> dict[str, dict[str, Any]]:
    return {arm: figures(rows, arm) for arm in rows[0].runs}


def hop_lines(rows: Sequence[Row]) -> Iterator[str]:
    """Yield the table of rows whose arms are hops."""
    for hop in rows[0].runs:
        seconds, cpu_s = (_sum(rows, hop, of) for of in ("seconds", "cpu_s"))
        times = sum(row.duration_s for row in rows) / seconds
        cost = f"{seconds:8.2f} s ({times:.0f} times real time, {cpu_s:.1f} s CPU)"
        yield f"hop {hop:>4} s  {cost}  {described(rows, hop)}"


def hop_figures(rows: Sequence[Row]) -> dict[str, dict[str, Any]]:
    """Return the same for the JSON line."""
    return {
        hop: {
            **figures(rows, hop),
            "seconds": round(_sum(rows, hop, "seconds"), 2),
            "cpu_s": round(_sum(rows, hop, "cpu_s"), 2),
        }
        for hop in rows[0].runs
    }


def _cost(row: Row, arm: str) -> Any:  # noqa: ANN401 - a Cost: both arms of the comparison are always run
    return row.runs[arm].cost


def _sum(rows: Sequence[Row], arm: str, of: str) -> float:
    return float(sum(getattr(_cost(row, arm), of) for row in rows))
