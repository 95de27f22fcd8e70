"""Other audio that a request refers to, such as recordings of known voices: the beginning of each, in bounded time."""

import asyncio
from collections.abc import Callable, Mapping
from typing import TypeAlias

from common.audio.blocks import Samples
from common.audio.decode import decode_audio
from common.audio.fetch import fetch_audio
from common.audio.job_folder import job_folder
from common.audio.limits import FURTHER_AUDIO_S, AudioLimits
from common.errors import AudioFetchError, InvalidInputError, ParleyError

# By the name of its field in the request: what was decoded, or why it cannot be had.
FurtherAudio: TypeAlias = Mapping[str, Samples | ParleyError]


async def fetch_further(sources: Mapping[str, str], *, limits: AudioLimits, tick: Callable[[], None]) -> FurtherAudio:
    """Return mono 16 kHz samples of the first FURTHER_AUDIO_S seconds of each of `sources`, or up to the first error.

    One after the other, so that one file at a time is on disk; all of them together have `limits.fetch_timeout_s`
    seconds. An error, InvalidInputError or AudioFetchError, stands for what it is about and is the last entry; it names
    the field. `tick` is called before each.
    """
    found: dict[str, Samples | ParleyError] = {}
    param = ""
    try:
        async with asyncio.timeout(limits.fetch_timeout_s):
            for param, source in sources.items():
                tick()
                found[param] = await _beginning(source, limits)
    except TimeoutError:
        found[param] = _too_slow(param, limits)
    except (InvalidInputError, AudioFetchError) as error:
        found[param] = type(error)(f"{param}: {error.message}", param=param)
    return found


def usable(further: FurtherAudio) -> dict[str, Samples]:
    """Return the samples, if there are all of them; raises the error that stands for one that could not be had."""
    samples: dict[str, Samples] = {}
    for param, one in further.items():
        if isinstance(one, ParleyError):
            raise one
        samples[param] = one
    return samples


async def _beginning(source: str, limits: AudioLimits) -> Samples:
    with job_folder() as folder:
        path = await fetch_audio(source, folder, limits=limits)
        return await asyncio.to_thread(decode_audio, path, limits=limits, first_s=FURTHER_AUDIO_S)


def _too_slow(param: str, limits: AudioLimits) -> AudioFetchError:
    field = param.partition(".")[0]
    return AudioFetchError(
        f"{field}: its recordings could not all be fetched within {limits.fetch_timeout_s:g} s; "
        "send fewer or shorter ones, use a faster server, or send embeddings of an earlier result",
        param=field,
    )
