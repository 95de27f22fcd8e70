"""Names for the speakers whom nobody has named, asked of a language model: for whom, how long, and what if it fails."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any

import aiohttp

from common.answer import Heard, diarized_turns, merged_transcript
from common.contract import OrchestrationRequest
from common.errors import InvalidInputError, ParleyError
from common.naming.chat_endpoint import names_from_talk
from common.settings import NamingSettings
from common.timeline import Segment

NAMING_SHARE = 0.05  # of a job's progress

AskForNames = Callable[[Sequence[Segment]], Awaitable[Mapping[str, str]]]  # label → name


def names_asked_of(settings: NamingSettings, session: aiohttp.ClientSession) -> AskForNames | None:
    """Return what asks the language model of `settings` for names; None where there is none."""
    return partial(names_from_talk, settings=settings, session=session) if settings.url else None


def check_naming(request: OrchestrationRequest, *, available: bool) -> None:
    """Raise InvalidInputError where names are asked for and there is nobody to name, or no model to ask."""
    if not request.name_speakers:
        return
    if not request.diarize:
        raise InvalidInputError("name_speakers needs diarize: without it there are no speakers", param="name_speakers")
    if not available:
        raise InvalidInputError(
            "name_speakers needs a language model: set SPEAKER_NAMING_URL where the request is worked on, "
            "or leave name_speakers out",
            param="name_speakers",
        )


async def names_found(
    request: OrchestrationRequest,
    heard: Heard,
    diarization: Mapping[str, Any],
    *,
    ask: AskForNames,
    deadline_s: float | None = None,
) -> tuple[dict[str, str], list[str]]:
    """Return names by label for the speakers whom nobody has named, and a warning where they could not be asked for.

    Named already are those of `request.speaker_names` and the known speakers that were recognised. A name that
    another speaker has is left out: it would make one speaker of two. `deadline_s` is the time that is left, where
    that may be less than what `ask` allows itself.
    """
    matched = {match["name"] for match in diarization.get("speaker_matches") or ()}
    unnamed = set(diarization["speakers"]) - matched - set(request.speaker_names)
    if not unnamed:
        return {}, []
    transcript = merged_transcript(heard, diarized_turns(diarization), names=request.speaker_names)
    try:
        async with asyncio.timeout(None if deadline_s is None else max(deadline_s, 0.0)):
            found = await ask(transcript.segments)
    except TimeoutError:
        return {}, [_not_named("there was no answer in the time that was left")]
    except ParleyError as error:
        return {}, [_not_named(error.message)]
    taken = {name.casefold() for name in (*matched, *request.speaker_names.values())}
    return {label: name for label, name in found.items() if label in unnamed and name.casefold() not in taken}, []


def _not_named(reason: str) -> str:
    return f"speakers were not named: {reason}"
