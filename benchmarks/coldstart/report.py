"""The figures of all starts: medians, ratios, a table."""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from benchmarks.coldstart.starts import Start

# what a worker tells of its start, in this order, and how a table names it
STAGES = {
    "interpreter_s": "interpreter",
    "imports_s": "own imports",
    "find_s": "finding the model",
    "library_s": "its library",
    "load_s": "loading",
    "inference_s": "first inference",
    "sdk_s": "SDK",
}
TORCH = "libtorch"


def document(
    starts: Mapping[str, Sequence[Start]], plain: Mapping[str, Sequence[Mapping[str, float]]], **facts: object
) -> dict[str, Any]:
    """Return what the JSON line says of the starts by worker and of the plain scripts' seconds by worker."""
    ready = {name: _median(start.ready_s for start in found) for name, found in starts.items()}
    first = {name: _median(start.first_result_s for start in found) for name, found in starts.items()}
    scripts = {name: _medians(found) for name, found in plain.items()}
    ratios = {name: round(ready[name] / scripts[name]["total_s"], 3) for name in ready if name in scripts}
    return {
        "transcription_ratio": ratios["transcription"],
        "diarization_ratio": ratios["diarization"],
        "orchestrator_s": ready["orchestrator"],
        "sdk_import_s": scripts["sdk"]["library_s"],
        "orchestrator_torch": _torch_in(starts["orchestrator"]),
        "ratios": ratios,
        "first_result_ratios": {name: round(first[name] / scripts[name]["total_s"], 3) for name in ratios},
        **facts,
        "ready_s": ready,
        "first_result_s": first,
        "stages": {name: stages_of(found, scripts["sdk"]["interpreter_s"]) for name, found in starts.items()},
        "plain": scripts,
    }


def stages_of(starts: Sequence[Start], interpreter_s: float) -> dict[str, float]:
    """Return the medians of what the workers tell, in order; what their interpreter takes is in none of it yet."""
    told = _medians([start.stages for start in starts])
    if "imports_s" in told:
        told |= {"interpreter_s": interpreter_s, "imports_s": round(max(0.0, told["imports_s"] - interpreter_s), 2)}
    order = [*STAGES, *sorted(told.keys() - STAGES.keys())]
    return {stage: told[stage] for stage in order if stage in told}


def table(figures: Mapping[str, Any]) -> str:
    """Return a Markdown table of the workers: the stages that one of them tells, ready, first result, ratios."""
    told = [stage for stage in STAGES if any(stage in stages for stages in figures["stages"].values())]
    names = [STAGES[stage] for stage in told]
    heads = ["worker", *names, "ready", "first result", "plain script", "ready ÷ plain", "first ÷ plain"]
    lines = [heads, ["---"] * len(heads), *(_row(figures, name, told) for name in figures["ready_s"])]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _row(figures: Mapping[str, Any], name: str, told: Sequence[str]) -> list[str]:
    stages, plain = figures["stages"][name], figures["plain"].get(name, {})
    ratios = (figures["ratios"].get(name), figures["first_result_ratios"].get(name))
    return [
        name,
        *(_seconds(stages.get(stage)) for stage in told),
        _seconds(figures["ready_s"][name]),
        _seconds(figures["first_result_s"][name]),
        _seconds(plain.get("total_s")),
        *("–" if ratio is None else f"{ratio:.2f}" for ratio in ratios),
    ]


def _seconds(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _torch_in(starts: Iterable[Start]) -> bool:
    return any(name.startswith(TORCH) for start in starts for name in start.libraries)


def _medians(found: Sequence[Mapping[str, float]]) -> dict[str, float]:
    keys = dict.fromkeys(key for one in found for key in one)
    return {key: _median(one[key] for one in found if key in one) for key in keys}


def _median(values: Iterable[float]) -> float:
    return round(statistics.median(values), 2)
