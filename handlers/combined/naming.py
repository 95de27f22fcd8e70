"""A language model asked for speakers' names from the worker's inference thread."""

import asyncio
from collections.abc import Mapping
from typing import Any

import aiohttp

from common.answer import Heard
from common.contract import OrchestrationRequest
from common.naming.unnamed_speakers import names_asked_of, names_found
from common.progress import Tick
from common.settings import NamingSettings

Names = tuple[dict[str, str], list[str]]
TICK_S = 0.2  # a stopped job waits no longer


def named(
    request: OrchestrationRequest,
    heard: Heard,
    diarization: Mapping[str, Any],
    *,
    settings: NamingSettings,
    tick: Tick,
) -> Names:
    """Return names by label for the speakers whom nobody has named, and a warning where there are none to be had.

    Runs an event loop of its own, for `settings.timeout_s` seconds at most. The platform knows nothing of them: a job
    whose executionTimeout ends meanwhile loses the result that was finished before, so it has to allow for them. Raises
    JobCancelledError when the job is stopped.
    """
    return asyncio.run(_named(request, heard, diarization, settings, tick))


async def _named(
    request: OrchestrationRequest, heard: Heard, diarization: Mapping[str, Any], settings: NamingSettings, tick: Tick
) -> Names:
    async with aiohttp.ClientSession(trust_env=True) as session:
        ask = names_asked_of(settings, session)
        if ask is None:
            return {}, []
        work = asyncio.ensure_future(names_found(request, heard, diarization, ask=ask))
        try:
            while not work.done():
                tick("naming", 0.0)
                await asyncio.wait([work], timeout=TICK_S)
        finally:
            work.cancel()
        return work.result()
