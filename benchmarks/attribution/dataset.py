"""All conversations of the benchmark, with the words and turns that were found in them."""

import math
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.attribution.building import built
from benchmarks.attribution.conversations import Conversation, packaged_sample, recorded
from benchmarks.attribution.recognition import Heard, Recogniser

PER_SPLIT, LONGEST_S = 4, 150.0
QUICK_PER_SPLIT, QUICK_LONGEST_S = 1, 20.0


def conversations(data: Path | None, *, quick: bool = False) -> Iterator[Conversation]:
    """Yield the conversations that have audio: the packaged sample and, if there is one, those of a folder."""
    yield packaged_sample()
    if data is None:
        return
    if not quick:
        yield from recorded(data)
    per_split, longest_s = (QUICK_PER_SPLIT, QUICK_LONGEST_S) if quick else (PER_SPLIT, LONGEST_S)
    yield from built(data, per_split=per_split, longest_s=longest_s)


def heard(data: Path | None, *, cache: Path, quick: bool = False, until: float = math.inf) -> Iterator[Heard]:
    """Yield every conversation with its words and turns, made now or taken from the folder `cache`.

    After `until` on the monotonic clock no more are made: those that are not in the cache are left out.
    """
    recogniser = Recogniser(cache)
    for number, conversation in enumerate(conversations(data, quick=quick)):
        if number and time.monotonic() > until and not recogniser.knows(conversation):
            print(f"{conversation.name} left out: no time to run the engines on it")
            continue
        yield recogniser.hear(conversation)
