"""The engines that are compared: Parley's run of a pipeline, pyannote's own, and the latter with other parameters."""

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.attribution.recognition import TURNS_FROM, TURNS_PACKAGES, fingerprint
from common.audio.blocks import Samples
from common.settings import DiarizationSettings, load_settings
from common.timeline import Turn
from handlers.diarization.engine import DiarizationEngine, SpeakerCount
from handlers.diarization.pipelines import BUNDLED_NAME
from handlers.diarization.pyannote_engine import find_engine

STOCK, FAST, TRIAL = "stock", "fast", "trial"
PUBLISHED_BATCH_SIZE = 32  # of both models, in the config.yaml of pyannote's pipelines
# What the bundled pipeline began with: the values of pyannote 3.1 but for the threshold.
TRIAL_PARAMETERS = {
    "segmentation": {"min_duration_off": 0.0},
    "clustering": {"method": "centroid", "min_cluster_size": 12, "threshold": 0.7},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """One way to find turns; what comes out of a file (`timed` is false) says nothing about speed."""

    model: str
    device: str
    find_turns: Callable[[Samples], tuple[Turn, ...]]
    timed: bool = True


def settings(environment: Mapping[str, str], **changed: str) -> DiarizationSettings:
    """Return the worker's settings by the environment: the bundled pipeline, unless it names another."""
    return load_settings({"PARLEY_PROFILE": "laptop"} | dict(environment) | changed).diarization


def fast_engine(environment: Mapping[str, str], *, hop_s: float | None = None) -> DiarizationEngine:
    """Load Parley's run, with windows `hop_s` seconds from each other."""
    hop = {} if hop_s is None else {"DIARIZATION_HOP_SECONDS": f"{hop_s:g}"}
    return find_engine(settings(environment, DIARIZATION_PIPELINE=FAST, **hop))()


def stock_engine(environment: Mapping[str, str]) -> DiarizationEngine:
    """Load pyannote's run as it is published: the worker makes its batches smaller so that jobs can be cancelled."""
    engine = find_engine(settings(environment, DIARIZATION_PIPELINE=STOCK))()
    pipeline = _pipeline(engine)
    pipeline.segmentation_batch_size = pipeline.embedding_batch_size = PUBLISHED_BATCH_SIZE
    return engine


def trial_engine(environment: Mapping[str, str]) -> DiarizationEngine:
    """Load pyannote's run of the bundled models with the parameters that they were first tried with."""
    engine = stock_engine(environment)
    _pipeline(engine).instantiate(TRIAL_PARAMETERS)
    return engine


def _pipeline(engine: Any) -> Any:  # noqa: ANN401 - pyannote has no types
    return engine._pipeline  # noqa: SLF001 - nobody but a benchmark needs it


def arm(engine: DiarizationEngine) -> Arm:
    """Return an engine as an arm of the comparison."""
    return Arm(model=engine.model, device=engine.device, find_turns=lambda samples: turns_of(engine, samples))


def turns_of(engine: DiarizationEngine, samples: Samples) -> tuple[Turn, ...]:
    """Return the turns as the worker would, with nothing known of the speakers."""
    return engine.diarize(samples, count=SpeakerCount(), tick=_ignore).turns


def trial_arm(environment: Mapping[str, str], *, cache: Path) -> Arm:
    """Return the arm of the first parameters, whose turns are kept by content in the folder `cache`."""
    engine = trial_engine(environment)
    if engine.model != BUNDLED_NAME:
        raise ValueError("the trial parameters are those of the bundled pipeline: leave DIARIZATION_MODEL out")
    made_by = json.dumps([fingerprint(TURNS_FROM, TURNS_PACKAGES), TRIAL_PARAMETERS, engine.model, engine.device])
    return Arm(
        model=engine.model,
        device=engine.device,
        find_turns=lambda samples: kept(cache, made_by, samples, lambda: turns_of(engine, samples)),
        timed=False,
    )


def kept(folder: Path, made_by: str, samples: Samples, make: Callable[[], tuple[Turn, ...]]) -> tuple[Turn, ...]:
    """Return the turns in `samples` that are in `folder`, or else those that `make` finds, and keep them."""
    content = hashlib.sha256(samples.tobytes() + made_by.encode()).hexdigest()
    path = folder / f"trial-{content[:32]}.json"
    if not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(f".{os.getpid()}")
        unfinished.write_text(json.dumps([asdict(turn) for turn in make()]), encoding="utf-8")
        unfinished.rename(path)
    return tuple(Turn(**turn) for turn in json.loads(path.read_text(encoding="utf-8")))


def _ignore(stage: str, fraction: float) -> None:
    pass
