"""The faults of the benchmark: one kind after the other, then all kinds at once, at random."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from orchestrator.local.faults import (
    Answer,
    Delay,
    DoubleDelivery,
    Drop,
    ExpireResult,
    Fault,
    FaultScript,
    HalfBody,
    LateProgress,
    LoseWorker,
    Twice,
    html_page,
)
from orchestrator.local.faults.call import Call

CALLERS = ("run", "status", "cancel", "idempotency")
Struck = tuple[tuple[str, Fault], ...]


def _at(routes: tuple[str, ...], *faults: Fault) -> Struck:
    return tuple((route, fault) for route in routes for fault in faults)


KINDS: Mapping[str, Struck] = MappingProxyType(
    {
        "delays": _at((*CALLERS, "job-take", "job-done"), Delay(seconds=0.2), Delay(seconds=0.1, after=True)),
        "dropped before": _at((*CALLERS, "job-done"), Drop(after=False)),
        "dropped after": _at((*CALLERS, "job-done"), Drop(after=True)),
        "429": _at(CALLERS, Answer(status=429), Answer(status=429, retry_after="0.3")),
        "5xx": _at(CALLERS, Answer(status=502), Answer(status=503, after=True)),
        "pages": _at(CALLERS, html_page(), html_page(status=502, after=True)),
        "half bodies": _at(CALLERS, HalfBody()),
        "workers lost": (("job-take", LoseWorker(after=True)), ("job-done", LoseWorker(after=False))),
        "results expired": (("status", ExpireResult()),),
        "twice": (*_at(("run", "cancel", "job-done"), Twice()), ("job-take", DoubleDelivery())),
        "order": (("job-done", LateProgress()),),
        "refused": _at(("run", "status"), Answer(status=401), Answer(status=404)),
    }
)
ALL = "all of them"
ALONE, TOGETHER = 0.15, 0.01  # how probable one fault is at a call


@dataclass(kw_only=True)
class CountedDoubles:
    """DoubleDelivery, which counts the jobs that it hands out twice."""

    after: bool = True
    name: str = "double_delivery"
    jobs: Counter[str] = field(default_factory=Counter)

    async def strike(self, call: Call) -> None:
        """Note the jobs for another worker."""
        self.jobs.update(call.delivered_ids())
        await DoubleDelivery().strike(call)


def scripted(kind: str, *, seed: int) -> tuple[FaultScript, CountedDoubles]:
    """Return a script with the faults of one kind, or of all, and the count of what it delivers twice."""
    script, doubles = FaultScript(seed=seed), CountedDoubles()
    struck = [one for kinds in KINDS.values() for one in kinds] if kind == ALL else KINDS[kind]
    for route, fault in struck:
        probability = TOGETHER if kind == ALL else ALONE / (2 if isinstance(fault, LoseWorker) else 1)
        counted = doubles if isinstance(fault, DoubleDelivery) else fault
        script.add("*", route, counted, times=None, probability=probability)
    return script, doubles
