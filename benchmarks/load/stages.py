"""What the start of each worker is made of, each in a fresh process."""

import importlib
import json
import os
import subprocess
import sys
import time
import warnings
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

ENGINES = {"diarization": "handlers.diarization.handler", "transcription": "handlers.transcription.handler"}


@dataclass(frozen=True, kw_only=True)
class Worker:
    """A worker's settings and the packages it needs, some of which it imports only when it loads its model."""

    packages: tuple[str, ...]
    engine: str | None = None
    environment: dict[str, str] = field(default_factory=dict)


WORKERS = {
    "orchestrator": Worker(packages=("orchestrator.handler", "runpod")),
    "diarization, bundled pyannote": Worker(
        packages=("handlers.diarization.handler", "runpod", "pyannote.audio"),
        engine="diarization",
        environment={"DIARIZATION_MODEL": "bundled"},
    ),
    "transcription, bundled Whisper tiny.en": Worker(
        packages=("handlers.transcription.handler", "runpod", "faster_whisper"),
        engine="transcription",
        environment={"TRANSCRIPTION_ENGINE": "whisper", "WHISPER_MODEL_SIZE": "bundled"},
    ),
    "transcription, Parakeet": Worker(
        packages=("handlers.transcription.handler", "runpod", "nemo.collections.asr.models"), engine="transcription"
    ),
}


def cold_starts(checkpoint: Path) -> dict[str, dict[str, float]]:
    """Return the seconds of each stage by worker; Parakeet's model is the checkpoint."""
    return {name: _start(name, checkpoint) for name in WORKERS}


def _start(name: str, checkpoint: Path) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.load.stages", name, repr(time.time())]
    environment = {**os.environ, "MODEL_ID": str(checkpoint), **WORKERS[name].environment}
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if ran.returncode:
        raise SystemExit(f"the worker {name} did not start:\n{ran.stderr[-2000:]}")
    stages: dict[str, float] = json.loads(ran.stdout.splitlines()[-1])
    return stages


def main(name: str, begun: float) -> None:
    """Start as the worker does, up to where it would take jobs, and print the seconds of each stage."""
    marks = [begun, time.time()]
    from handlers.device import let_others_compute  # noqa: PLC0415 - imports are measured

    let_others_compute()
    worker = WORKERS[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for package in worker.packages:
            importlib.import_module(package)
    marks.append(time.time())
    if worker.engine:
        marks += _find_and_load(worker.engine)
    stages = ("interpreter_s", "imports_s", "find_s", "load_and_first_inference_s")
    seconds = (round(after - before, 2) for before, after in pairwise(marks))
    print(json.dumps(dict(zip(stages, seconds, strict=False))))


def _find_and_load(engine: str) -> tuple[float, float]:
    """Return when the model was found, and when it was loaded and had run once."""
    from common.settings import load_settings  # noqa: PLC0415 - imports are measured

    settings = getattr(load_settings(os.environ), engine)
    load = importlib.import_module(ENGINES[engine]).find_engine(settings)
    found = time.time()
    load()
    return found, time.time()


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
