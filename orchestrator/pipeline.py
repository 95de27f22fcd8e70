"""Words and speakers, the repair of speech without words, names, the merge: the one place that knows the order."""

import asyncio
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from common.answer import Heard, Spoken, diarized_turns, orchestrated_answer
from common.contract import OrchestrationRequest
from common.cost import cost
from common.coverage import coverage_warnings
from common.earlier_words import earlier_heard, earlier_report
from common.errors import ConfigurationError, DeadlineExceededError
from common.idempotency import content_digest
from common.metrics import JobMetrics
from common.naming.unnamed_speakers import NAMING_SHARE, AskForNames, check_naming, names_found
from common.progress import OnProgress
from common.repair import REPAIR_SHARE
from common.settings import PriceSettings
from orchestrator.child_jobs import heard_in
from orchestrator.children import KEPT_S, Children, OnFound
from orchestrator.endpoints import Endpoint
from orchestrator.off_loop import items_of, off_loop
from orchestrator.parallel import both, diarized
from orchestrator.repair_job import REPAIR, repaired

NAMING = "naming"


class Found(NamedTuple):
    """What the endpoints found: the words, the report on them, the speakers if anybody asked for them."""

    heard: Heard
    report: Mapping[str, Any]
    spoken: Spoken | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Orchestration:
    """What an orchestration is besides its request: its name and its books.

    `key` makes its child jobs the same ones when it is begun again; the request's idempotency key if it has one, else
    something of this one alone. `on_found` is told of each child's result, by its name, before the whole is there.
    """

    request_id: str
    key: str
    prices: PriceSettings = field(default_factory=PriceSettings)
    metrics: JobMetrics | None = None
    cold_start_s: float = 0.0
    on_found: OnFound | None = None


async def orchestrate(
    request: OrchestrationRequest,
    *,
    diarization: Endpoint | None,
    transcription: Endpoint | None,
    deadline_s: float,
    naming: AskForNames | None = None,
    on_progress: OnProgress | None = None,
    run: Orchestration | None = None,
) -> dict[str, Any]:
    """Return the speaker-attributed result of `request` within `deadline_s` seconds.

    Both children start at once; when one fails the other is cancelled, unless diarization failed and the
    request says `degrade`. Speech without words is then transcribed once more, if time is left; a failure of that is
    a warning, and so is one of `naming`, which is asked where the request says `name_speakers`.

    `diarization` is not called, and may be None, where `request.diarize` is false; nor is `transcription` where the
    request brings its `words`: these get the speakers of the new turns, and the answer's `model` is the diarization's.

    Cancelling this call cancels all of them. Raises InvalidInputError for a request that cannot be met and
    ConfigurationError for an endpoint that is missing before any child starts, then the first child's ParleyError.
    """
    check_naming(request, available=naming is not None)
    speakers = _needed("diarization", diarization) if request.diarize else None
    words = _needed("transcription", transcription) if request.words is None else None
    run = run or orchestration_of(request)
    children = Children(
        deadline_s=deadline_s,
        on_progress=on_progress,
        shares=_shares(request),
        request_id=run.request_id,
        key=run.key,
        metrics=run.metrics,
        on_found=run.on_found,
    )
    try:
        async with asyncio.timeout(deadline_s):
            answer = await _attributed(children, request, speakers, words, naming)
    except TimeoutError:
        raise DeadlineExceededError(
            f"the request was not done within {deadline_s:.0f} s; raise JOB_DEADLINE_SECONDS"
        ) from None
    seconds = {**children.billed_s, "orchestrator": run.cold_start_s + children.elapsed_s()}
    charged = cost(run.prices, seconds)
    return {**answer, "request_id": run.request_id, **({} if charged is None else {"cost": charged})}


def orchestration_of(request: OrchestrationRequest, *, prices: PriceSettings | None = None) -> Orchestration:
    """Return what an orchestration is that runs outside a worker: of the request alone."""
    key = request.idempotency_key or uuid.uuid4().hex
    # begun again under its key it is to ask for the same child jobs, which the id is part of
    request_id = request.request_id or content_digest(key)[:32]
    return Orchestration(request_id=request_id, key=key, prices=prices or PriceSettings())


async def _attributed(
    children: Children,
    request: OrchestrationRequest,
    diarization: Endpoint | None,
    transcription: Endpoint | None,
    naming: AskForNames | None,
) -> dict[str, Any]:
    if transcription is None:
        found = await _rediarized(children, request, _needed("diarization", diarization))
    else:
        found = await _transcribed(children, request, diarization, transcription)
    names, warnings = await _named(children, request, found, naming)
    children.finish()
    merge_started_s = children.elapsed_s()
    items = items_of(found.heard, found.spoken)
    answer = await off_loop(items, _merged, request, found, names, warnings)
    return {**answer, "timings": _timings(children, merge_started_s)}


def _needed(name: str, endpoint: Endpoint | None) -> Endpoint:
    if endpoint is None:
        variable = f"{name.upper()}_ENDPOINT_ID"
        raise ConfigurationError(f"this request needs the {name} endpoint; set {variable}", param=variable)
    return endpoint


def _shares(request: OrchestrationRequest) -> dict[str, float]:
    if not request.diarize:
        return {"transcription": 1.0}
    naming = NAMING_SHARE if request.name_speakers else 0.0
    if request.words is not None:
        return {"diarization": 1 - naming, NAMING: naming}
    repair = REPAIR_SHARE if request.repair else 0.0
    half = (1 - repair - naming) / 2
    return {"transcription": half, "diarization": half, REPAIR: repair, NAMING: naming}


async def _rediarized(children: Children, request: OrchestrationRequest, diarization: Endpoint) -> Found:
    spoken = await diarized(children, request, diarization)
    heard = await off_loop(len(request.words or ()), earlier_heard, request, spoken)
    return Found(heard, earlier_report(heard, spoken), spoken)


async def _transcribed(
    children: Children, request: OrchestrationRequest, diarization: Endpoint | None, transcription: Endpoint
) -> Found:
    transcribed, spoken = await both(children, request, diarization, transcription)
    heard = await off_loop(items_of(transcribed), heard_in, transcribed)
    if isinstance(spoken, Mapping):
        given = [text for text in transcribed.get("warnings", ()) if text not in coverage_warnings(heard.coverage)]
        turns = (await off_loop(items_of(spoken), diarized_turns, spoken)).turns
        heard, warnings = await repaired(children, request, transcription, heard, turns)
        transcribed = {**transcribed, "warnings": [*given, *warnings]}
    return Found(heard, transcribed, spoken)


async def _named(
    children: Children, request: OrchestrationRequest, found: Found, naming: AskForNames | None
) -> tuple[dict[str, str], list[str]]:
    if not request.name_speakers or naming is None or not isinstance(found.spoken, Mapping):
        return {}, []
    with children.waiting(NAMING):
        left_s = children.left_s() - KEPT_S
        return await names_found(request, found.heard, found.spoken, ask=naming, deadline_s=left_s)


def _merged(
    request: OrchestrationRequest, found: Found, names: Mapping[str, str], warnings: list[str]
) -> dict[str, Any]:
    report = {**found.report, "warnings": [*found.report.get("warnings", ()), *warnings]}
    return orchestrated_answer(request, heard=found.heard, transcription=report, diarization=found.spoken, names=names)


def _timings(children: Children, merge_started_s: float) -> dict[str, float]:
    total_s = children.elapsed_s()
    own = {"merge_s": total_s - merge_started_s, "total_s": total_s, "orchestrator_s": children.idle_s()}
    return children.timings | {name: round(value, 4) for name, value in own.items()}
