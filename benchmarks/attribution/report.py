"""What the benchmark found, as tables and as one line of JSON."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import add
from typing import Any

from benchmarks.attribution.bootstrap import interval, interval_of_difference
from benchmarks.attribution.conversations import DEVELOPMENT, HELD_OUT, SYNTHETIC
from benchmarks.attribution.measure import Row, Scores
from benchmarks.attribution.rules import PARLEY, WHISPERX
from benchmarks.attribution.scoring import Rate

NONE = Rate(errors=0, words=0)


@dataclass(slots=True, kw_only=True)
class Report:
    """All rows; the figures are of those with audio and, if those are too few (`pool_all`), the synthetic ones too."""

    rows: Sequence[Row]
    pool_all: bool
    speed: dict[str, Any] = field(default_factory=dict)
    notes: Sequence[str] = ()

    @property
    def pooled(self) -> list[Row]:
        """The rows that the figures are of."""
        return [row for row in self.rows if self.pool_all or row.conversation.kind != SYNTHETIC]

    @property
    def rules(self) -> list[str]:
        """The names of the rules."""
        return list(self.rows[0].scores)

    def json_line(self) -> str:
        """Return everything as one line of JSON; error rates in percent, differences in points."""
        ours, theirs = self._wder(PARLEY), self._wder(WHISPERX)
        worst, points = self.worst()
        document = {
            "wder": self._each(_wder),
            "cpwer": self._each(lambda scores: scores.cp_wer),
            "ratio_to_whisperx": self._ratio(self.pooled),
            "ratio_by_split": {split: self._ratio(self._of_split(split)) for split in (DEVELOPMENT, HELD_OUT)},
            "unreachable": _percent(total([row.unreachable for row in self.pooled])),
            **self.speed,
            "tcpwer": self._each(lambda scores: scores.tcp_wer or NONE) if self._has_tcp_wer() else None,
            "oracle_wder": self._each(_oracle),
            "oracle_wder_by_split": {
                split: self._each(_oracle, self._of_split(split))[PARLEY] for split in (DEVELOPMENT, HELD_OUT)
            },
            "oracle_cpwer": self._each(lambda scores: scores.oracle_cp_wer),
            "ci": {rule: _rounded(interval(self._wder(rule))) for rule in self.rules},
            "difference_ci": _rounded(interval_of_difference(ours, theirs)),
            "worst_conversation": worst,
            "worst_conversation_points": points,
            **{split: self._each(_wder, self._of_split(split)) for split in (DEVELOPMENT, HELD_OUT)},
            "synthetic": self._each(_wder, self._synthetic()),
            "without_speaker": {
                rule: sum(row.scores[rule].without_speaker for row in self.pooled) for rule in self.rules
            },
            "der": _percent(total([row.der for row in self.pooled])),
            "words": sum(row.words for row in self.pooled),
            "conversations": len(self.pooled),
            "notes": list(self.notes),
        }
        return json.dumps(document, allow_nan=False)

    def worst(self) -> tuple[str, float]:
        """Return the conversation in which our rule loses most against whisperx's, and how many points of WDER."""
        losses = {row.conversation.name: difference(row) for row in self.pooled}
        name = max(losses, key=lambda name: losses[name])
        return name, round(losses[name], 2)

    def table(self) -> str:
        """Return tables to read."""
        return "\n".join([*self._rule_lines(), "", *self._conversation_lines(), "", *self._summary(), *self.notes])

    def _rule_lines(self) -> Iterator[str]:
        yield (
            f"{'':22}{'WDER %':>8}{'95 % interval':>16}{'develop.':>10}{'held-out':>10}{'oracle':>8}{'synth.':>8}"
            f"{'cpWER %':>9}{'tcpWER %':>10}{'no speaker':>12}"
        )
        for rule in self.rules:
            low, high = interval(self._wder(rule))
            splits = "".join(f"{_cell(self._of_split(split), rule):>10}" for split in (DEVELOPMENT, HELD_OUT))
            scores = [row.scores[rule] for row in self.pooled]
            tcp_wer = f"{total([one.tcp_wer or NONE for one in scores]).percent:.2f}" if self._has_tcp_wer() else "-"
            yield (
                f"{rule:22}{total(self._wder(rule)).percent:8.2f}{f'{low:.2f} to {high:.2f}':>16}{splits}"
                f"{total([one.oracle_wder for one in scores]).percent:8.2f}{_cell(self._synthetic(), rule):>8}"
                f"{total([one.cp_wer for one in scores]).percent:9.2f}{tcp_wer:>10}"
                f"{sum(one.without_speaker for one in scores):12}"
            )

    def _conversation_lines(self) -> Iterator[str]:
        rules = [rule for rule in self.rules if rule != PARLEY]
        yield f"{'WDER %':22}{'split':>12}{'words':>7}{'speakers':>10}{'DER %':>8}{'parley':>8}{'oracle':>8}" + "".join(
            f"{rule:>{len(rule) + 2}}" for rule in rules
        )
        for row in self.rows:
            own = row.conversation
            speakers = f"{row.speakers_found}/{len({one.speaker for one in own.utterances})}"
            others = "".join(f"{row.scores[rule].wder.percent:{len(rule) + 2}.2f}" for rule in rules)
            yield (
                f"{own.name:22}{own.split:>12}{row.words:7}{speakers:>10}{row.der.percent:8.1f}"
                f"{row.scores[PARLEY].wder.percent:8.2f}{row.scores[PARLEY].oracle_wder.percent:8.2f}{others}"
            )

    def _summary(self) -> Iterator[str]:
        ours, theirs = self._wder(PARLEY), self._wder(WHISPERX)
        low, high = interval_of_difference(ours, theirs)
        worst, points = self.worst()
        yield (
            f"parley {total(ours).percent:.2f} %, whisperx {total(theirs).percent:.2f} %: difference "
            f"{total(ours).percent - total(theirs).percent:+.2f} points, 95 % interval {low:+.2f} to {high:+.2f}; "
            f"the conversation that changes for the worst: {worst}, {points:+.2f} points"
        )
        lost = total([row.unreachable for row in self.pooled])
        yield f"{lost.percent:.2f} % of the words are of a speaker whom the diarization does not hear within 0.5 s"
        yield (
            f"3 h, 36,000 words, 6,000 turns: parley {self.speed['merge_s']} s ({self.speed['merge_worst_s']} s "
            "with one more speaker who never stops), whisperx "
            f"({self.speed['whisperx_is']}) {self.speed['whisperx_s']} s"
        )

    def _ratio(self, rows: Sequence[Row]) -> float | None:
        ours, theirs = (total([row.scores[rule].wder for row in rows]) for rule in (PARLEY, WHISPERX))
        return round(ours.percent / theirs.percent, 3) if theirs.errors else None

    def _has_tcp_wer(self) -> bool:
        return all(row.scores[PARLEY].tcp_wer is not None for row in self.rows)

    def _of_split(self, split: str) -> list[Row]:
        return [row for row in self.pooled if row.conversation.split == split]

    def _synthetic(self) -> list[Row]:
        return [row for row in self.rows if row.conversation.kind == SYNTHETIC]

    def _wder(self, rule: str) -> list[Rate]:
        return [row.scores[rule].wder for row in self.pooled]

    def _each(self, of: Callable[[Scores], Rate], rows: Sequence[Row] | None = None) -> dict[str, float | None]:
        chosen = self.pooled if rows is None else rows
        return {rule: _percent(total([of(row.scores[rule]) for row in chosen])) for rule in self.rules}


def total(rates: Sequence[Rate]) -> Rate:
    """Add up."""
    return reduce(add, rates, NONE)


def difference(row: Row) -> float:
    """Return by how many points our WDER is above whisperx's."""
    return row.scores[PARLEY].wder.percent - row.scores[WHISPERX].wder.percent


def _wder(scores: Scores) -> Rate:
    return scores.wder


def _oracle(scores: Scores) -> Rate:
    return scores.oracle_wder


def _cell(rows: Sequence[Row], rule: str) -> str:
    return f"{total([row.scores[rule].wder for row in rows]).percent:.2f}" if rows else "-"


def _percent(rate: Rate) -> float | None:
    return round(rate.percent, 2) if rate.words else None


def _rounded(bounds: tuple[float, float]) -> list[float]:
    return [round(bound, 2) for bound in bounds]
