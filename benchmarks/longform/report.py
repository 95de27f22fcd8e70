"""What the benchmark found, as a table and as one line of JSON."""

import json
import math
from dataclasses import dataclass, field
from typing import Any

from benchmarks.longform.scoring import SeamErrors, WordErrors, total


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One way to transcribe: word errors and speed."""

    errors: WordErrors
    rtfx: float
    duration_s: float
    note: str = ""

    def figures(self) -> dict[str, Any]:
        """Return the row as JSON has it."""
        return {
            "wer": self.errors.wer,
            "words": self.errors.words,
            "substitutions": self.errors.substitutions,
            "deletions": self.errors.deletions,
            "insertions": self.errors.insertions,
            "rtfx": round(self.rtfx, 1),
            "duration_s": round(self.duration_s, 1),
            **({"note": self.note} if self.note else {}),
        }


@dataclass(slots=True, kw_only=True)
class Report:
    """All that was measured."""

    about: dict[str, Any]
    isolated: Row
    bounds: dict[float, tuple[Row, SeamErrors]] = field(default_factory=dict)
    chunk_duration_s: float = math.nan
    start_errors_ms: tuple[float, float] | None = None
    arms: dict[str, Row] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)

    @property
    def chunked(self) -> Row:
        """What the default bound gives."""
        return self.bounds[self.chunk_duration_s][0]

    @property
    def seams(self) -> SeamErrors:
        """The seams of all bounds together."""
        return total([errors for _, errors in self.bounds.values()])

    def json_line(self) -> str:
        """Return everything as one line of JSON."""
        seams = self.seams
        median_ms, p95_ms = self.start_errors_ms or (None, None)
        document = {
            "wer_chunked": self.chunked.errors.wer,
            "wer_isolated": self.isolated.errors.wer,
            "start_median_ms": median_ms,
            "start_p95_ms": p95_ms,
            "rtfx": round(self.chunked.rtfx, 1),
            "rtfx_baselines": {name: round(row.rtfx, 1) for name, row in self.arms.items()},
            "wer_baselines": {name: row.errors.wer for name, row in self.arms.items()},
            **_seam_figures(seams),
            "bounds": {f"{bound:g}": row.figures() | _seam_figures(own) for bound, (row, own) in self.bounds.items()},
            "isolated": self.isolated.figures(),
            "baselines": {name: row.figures() for name, row in self.arms.items()},
            "skipped": self.skipped,
            **self.about,
        }
        return json.dumps(document, allow_nan=False)

    def table(self) -> str:
        """Return a table to read."""
        lines = [
            " ".join(f"{name}={value}" for name, value in self.about.items()),
            (
                f"{'':28}{'WER %':>7}{'sub':>6}{'lost':>6}{'added':>7}{'RTFx':>8}"
                f"{'seams':>8}{'lost':>6}{'doubled':>9}{'invented':>10}"
            ),
            f"{'each utterance alone':28}{_cells(self.isolated)}",
        ]
        for bound, (row, seams) in self.bounds.items():
            mark = " (default)" if bound == self.chunk_duration_s else ""
            ends = f"{seams.seams:8}{len(seams.lost):6}{len(seams.doubled):9}{len(seams.invented):10}"
            lines.append(f"{f'windows of {bound:g} s{mark}':28}{_cells(row)}{ends}")
        lines += [f"{name:28}{_cells(row)}  {row.note}" for name, row in self.arms.items()]
        lines += [f"{name:28}skipped: {reason}" for name, reason in self.skipped.items()]
        seams = self.seams
        lines.append(
            f"{len(seams.lost_by_seam)} lost and {len(seams.doubled_by_seam)} doubled by {seams.seams} seams; against "
            f"isolation {len(seams.lost)} and {len(seams.doubled)} within 2 s of them, {seams.lost_elsewhere} and "
            f"{seams.doubled_elsewhere} elsewhere; {len(seams.invented)} invented where no one speaks"
        )
        if self.start_errors_ms:
            lines.append("word starts off by {} ms (median), {} ms (95 %)".format(*self.start_errors_ms))
        return "\n".join(lines)

    def seam_list(self) -> str:
        """Return every word lost or doubled at a seam or invented, with its time."""
        found = (
            (word.start, bound, f"{word.start:10.2f} s  windows of {bound:g} s: {what} {word.text}")
            for bound, (_, seams) in self.bounds.items()
            for what, words in (
                ("lost", seams.lost),
                ("doubled", seams.doubled),
                ("invented", seams.invented),
                ("by the seam lost", seams.lost_by_seam),
                ("by the seam doubled", seams.doubled_by_seam),
            )
            for word in words
        )
        return "\n".join(line for *_, line in sorted(found))


def _cells(row: Row) -> str:
    errors = row.errors
    return f"{errors.wer:7.2f}{errors.substitutions:6}{errors.deletions:6}{errors.insertions:7}{row.rtfx:8.1f}"


def _seam_figures(seams: SeamErrors) -> dict[str, int]:
    return {
        "seams": seams.seams,
        "seam_errors": len(seams.lost_by_seam) + len(seams.doubled_by_seam),
        "lost_by_seam": len(seams.lost_by_seam),
        "doubled_by_seam": len(seams.doubled_by_seam),
        "lost": len(seams.lost),
        "doubled": len(seams.doubled),
        "invented": len(seams.invented),
        "lost_elsewhere": seams.lost_elsewhere,
        "doubled_elsewhere": seams.doubled_elsewhere,
    }
