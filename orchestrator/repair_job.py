"""The third child job: speech of the diarization without words goes to the transcription endpoint once more."""

from collections.abc import Sequence

from common.answer import Heard
from common.contract import OrchestrationRequest
from common.errors import DeadlineExceededError, ParleyError
from common.repair import Repair, after_repair, not_repaired, plan_repair
from common.results import WorkerReport
from common.timeline import Turn
from orchestrator.child_jobs import heard_in, transcription_input
from orchestrator.children import KEPT_S, Children
from orchestrator.endpoints import Endpoint
from orchestrator.off_loop import off_loop

REPAIR = "transcription_repair"
SHORTEST_REPAIR_S = 5.0  # no job on RunPod may be given less


async def repaired(
    children: Children, request: OrchestrationRequest, endpoint: Endpoint, heard: Heard, turns: Sequence[Turn]
) -> tuple[Heard, list[str]]:
    """Return `heard` with the words found in speech that had none, and a warning where that could not be tried."""
    started_s = children.elapsed_s()
    items = len(heard.words) + len(turns)
    repair = await off_loop(items, plan_repair, heard, turns)
    found, warnings = None, []
    if request.repair and repair.spans:
        try:
            found = await _decoded_again(children, request, endpoint, repair)
        except ParleyError as error:
            warnings.append(not_repaired(error))
    heard = await off_loop(items, after_repair, heard, turns, repair=repair, found=found)
    children.timings["repair_s"] = round(children.elapsed_s() - started_s, 4)
    return heard, warnings


async def _decoded_again(
    children: Children, request: OrchestrationRequest, endpoint: Endpoint, repair: Repair
) -> Heard:
    left_s = children.left_s() - KEPT_S
    if left_s < SHORTEST_REPAIR_S:
        raise DeadlineExceededError("no time is left for it; raise JOB_DEADLINE_SECONDS")
    asked = transcription_input(request)
    asked["spans"] = [{"start": round(start, 3), "end": round(end, 3)} for start, end in repair.spans]
    if repair.language:
        asked.setdefault("language", repair.language)
    return heard_in(await children.run(REPAIR, endpoint, asked, WorkerReport, deadline_s=left_s))
