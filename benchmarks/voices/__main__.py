"""`python -m benchmarks.voices`: how well the bundled models tell known speakers from strangers.

DATA=<folder> has more voices than the two of pyannote's sample: utterances of one person in `B_asr/refs.jsonl`, and, if
they are there, conversations in `C_spk/built` and meetings in `A_diar`, in which everybody is recognised who can be.
DIARIZATION_MODEL takes another pipeline. QUICK=1 takes less than 50 s. The last line of the output is JSON.
"""

import json
import math
import os
import time
from pathlib import Path
from typing import TypeAlias

import numpy as np

from benchmarks.voices.speech import Recording, built_conversations, by_speaker, clips, sample
from benchmarks.voices.trials import LENGTHS_S, Named, Voices, diarized, embed_everybody, most_alike, name_speakers
from common.settings import load_settings
from handlers.device import let_others_compute
from handlers.diarization.pyannote_engine import find_engine

ROUNDS, QUICK_ROUNDS = 5, 1
QUICK_LIMIT_S = 36.0  # after this nobody is embedded any more
MARGIN = 0.1  # of the threshold above the stranger who is most alike, in the half that it is chosen on
THRESHOLDS = (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8)

Row: TypeAlias = dict[str, float | None]  # None: there was nothing to compare


def halves(voices: Voices, people: list[str], *, threshold: float) -> dict[str, dict[float, Row]]:
    """Return what happens at `threshold` in each half of the speakers, by the length of enrolment."""
    table = {}
    for half, speakers in (("development", people[::2]), ("test", people[1::2])):
        some = voices.of(speakers)
        table[half] = {length_s: _row(some, length_s, threshold=threshold) for length_s in LENGTHS_S}
    return table


def _row(voices: Voices, length_s: float, *, threshold: float) -> Row:
    same, different = (np.array(voices.similarities(length_s, same=same)) for same in (True, False))
    return {
        "same": len(same),
        "same_p5": _quantile(same, 0.05),
        "same_median": _quantile(same, 0.5),
        "different": len(different),
        "different_p99": _quantile(different, 0.99),
        "different_max": _quantile(different, 1.0),
        "heard": len(voices.heard),
        "false_names": voices.falsely_named(length_s, threshold=threshold),
        "miss_rate": round(float(np.mean(same < threshold)), 4) if len(same) else None,
    }


def _quantile(values: "np.ndarray[tuple[int], np.dtype[np.float64]]", share: float) -> float | None:
    return round(float(np.quantile(values, share)), 3) if len(values) else None


def _cell(value: float | None, form: str = ".3f") -> str:
    return "-" if value is None else format(value, form)


def chosen_threshold(development: dict[float, Row]) -> float | None:
    """Return the threshold that one half of the speakers gives, None if there are no strangers in it."""
    most = [row["different_max"] for row in development.values() if row["different_max"] is not None]
    return max(most) + MARGIN if most else None


def show(table: dict[str, dict[float, Row]], *, threshold: float) -> None:
    """Print the similarities and what they mean at the threshold."""
    print(f"at the threshold of {threshold}:")
    for half, rows in table.items():
        for length_s, row in rows.items():
            print(
                f"  {half:12} enrolled {length_s:4.0f} s: same person {_cell(row['same_p5'])} (5 %) "
                f"{_cell(row['same_median'])} (median) of {row['same']:4}; "
                f"strangers {_cell(row['different_p99'])} (99 %) {_cell(row['different_max'])} (most) "
                f"of {row['different']:5}; false names {row['false_names']} of {row['heard']} voices, "
                f"missed {_cell(row['miss_rate'], '.1%')}"
            )


def show_thresholds(voices: Voices) -> None:
    """Print false names and misses of all speakers at other thresholds."""
    print("false names / missed, by threshold, all speakers:")
    for length_s in LENGTHS_S:
        rows = ((threshold, _row(voices, length_s, threshold=threshold)) for threshold in THRESHOLDS)
        cells = "  ".join(f"{at}: {row['false_names']} / {_cell(row['miss_rate'], '.1%')}" for at, row in rows)
        print(f"  enrolled {length_s:4.0f} s  {cells}   refused {voices.refused[length_s]} of {voices.tried[length_s]}")


def show_named(kind: str, named: dict[float, Named]) -> dict[str, dict[str, float]]:
    """Print how the speakers of recordings were named; returns it for the JSON line."""
    for length_s, one in named.items():
        print(
            f"{kind}, enrolled {length_s:4.0f} s: {one.right} of {one.right + one.missed} known speakers named "
            f"(least alike: {_cell(one.least_known)}), {one.strangers} strangers, false names: {one.false or 'none'} "
            f"(most alike: {_cell(one.worst_stranger)})"
        )
    return {
        f"{length_s:g}": {
            "known": one.right + one.missed,
            "missed": one.missed,
            "strangers": one.strangers,
            "false": len(one.false),
        }
        for length_s, one in named.items()
    }


def main() -> None:
    """Print the tables, then one line of JSON."""
    started = time.monotonic()
    let_others_compute()
    quick, data = bool(os.environ.get("QUICK", "").strip("0")), os.environ.get("DATA", "")
    folder = Path(data) if data else None
    settings = load_settings({"PARLEY_PROFILE": "laptop"} | dict(os.environ)).diarization
    engine = find_engine(settings)()
    built = built_conversations(folder) if folder else []
    people = by_speaker([*built, sample()], folder)
    rounds, limit_s = (QUICK_ROUNDS, QUICK_LIMIT_S) if quick else (ROUNDS, math.inf)
    voices = embed_everybody(engine, people, rounds=rounds, until=started + limit_s)
    threshold = engine.same_voice_similarity
    table = halves(voices, list(people), threshold=threshold)
    print(f"{engine.model}: {len(people)} speakers, every other one for development, the rest for the test")
    show(table, threshold=threshold)
    show_thresholds(voices)
    chosen = chosen_threshold(table["development"])
    print(f"threshold by the development half, {MARGIN} above its most alike strangers: {_cell(chosen)}")
    meant: dict[str, list[Recording]] = {"conversations": built, "meetings": clips(folder) if folder else []}
    named = {}
    for kind, recordings in meant.items():
        if recordings and not quick:
            found = diarized(engine, recordings)
            print(f"{kind}: different people in different recordings are {_cell(most_alike(found))} alike at most")
            named[kind] = show_named(kind, name_speakers(found, voices, threshold=threshold))
    by_length = {half: {f"{length_s:g}": row for length_s, row in rows.items()} for half, rows in table.items()}
    report = {"model": engine.model, "threshold": threshold, "speakers": len(people), **by_length, **named}
    print(json.dumps({**report, "took_s": round(time.monotonic() - started, 1)}, allow_nan=False))


if __name__ == "__main__":
    main()
