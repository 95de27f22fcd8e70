"""Names for the speakers whom nobody has named, asked of a language model: for whom, how long, and what if it fails."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any

import aiohttp

from common.answer import Heard, diarized_turns, merged_transcript
from common.contract import OrchestrationRequest
from common.errors import InvalidInputError, ParleyError
from common.naming.chat_endpoint import names_from_talk
from common.settings import NamingSettings
from common.speaker_names import speaker_names
from common.timeline import Segment

NAMING_SHARE = 0.05  # of a job's progress

# What is said and the labels to name → names by label.
AskForNames = Callable[[Sequence[Segment], Collection[str]], Awaitable[Mapping[str, str]]]


def names_asked_of(settings: NamingSettings, session: aiohttp.ClientSession) -> AskForNames | None:
    """Return what asks the language model of `settings` for names; None where there is none."""
    return partial(names_from_talk, settings=settings, session=session) if settings.url else None


def check_naming(request: OrchestrationRequest, *, available: bool) -> None:
    """Raise InvalidInputError where names are asked for and there is no model to ask."""
    if request.name_speakers and not available:
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

    Named already are those of `request.speaker_names` and the known speakers that were recognised; nobody is asked
    unless one of the others says something. A name that another speaker has is left out: it would make one speaker of
    two. `deadline_s` is the time that is left, where that may be less than what `ask` allows itself.
    """
    spoken, matches = diarized_turns(diarization), diarization.get("speaker_matches") or ()
    given = speaker_names(request.speaker_names, spoken, matches=matches).by_label
    transcript = await asyncio.to_thread(merged_transcript, heard, spoken, names=given)
    matched = {match["name"] for match in matches} - given.keys()
    unnamed = set(diarization["speakers"]) - matched - given.keys()
    unnamed &= {segment.speaker for segment in transcript.segments if segment.speaker}
    if not unnamed:
        return {}, []
    try:
        async with asyncio.timeout(None if deadline_s is None else max(deadline_s, 0.0)):
            found = await ask(transcript.segments, unnamed)
    except TimeoutError:
        return {}, [_not_named("there was no answer in the time that was left")]
    except ParleyError as error:
        return {}, [_not_named(error.message)]
    taken = {name.casefold() for name in (*matched, *given.values())}
    return {label: name for label, name in found.items() if label in unnamed and name.casefold() not in taken}, []


def _not_named(reason: str) -> str:
    return f"speakers were not named: {reason}"
