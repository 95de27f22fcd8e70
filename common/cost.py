"""What a request cost, by the prices in the settings."""

from collections.abc import Mapping
from typing import Any

from common.settings import PriceSettings

DIGITS = 6  # a second of the cheapest machine costs about 0.00001


def cost(prices: PriceSettings, seconds: Mapping[str, float]) -> dict[str, Any] | None:
    """Return `{"currency", <worker>: …, "total"}` for the workers that have a price; None where none has.

    `seconds` are those that RunPod bills, execution and cold start, by worker: `diarization`, `transcription`,
    `orchestrator`; one that did not run may be left out and costs 0. An estimate: the seconds for which a worker
    stays up idle after a job are billed too, and no job can know them.
    """
    known = {
        "diarization": prices.diarization,
        "transcription": prices.transcription,
        "orchestrator": prices.orchestrator,
    }
    exact = {worker: price * seconds.get(worker, 0.0) for worker, price in known.items() if price > 0}
    if not exact:
        return None
    parts = {worker: round(amount, DIGITS) for worker, amount in exact.items()}
    return {"currency": prices.currency, **parts, "total": round(sum(exact.values()), DIGITS)}
