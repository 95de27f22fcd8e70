"""The platform's model cache: which local folder holds a model, laid out as a Hugging Face cache."""

import re
from pathlib import Path

from common.errors import ConfigurationError

TOKEN_PAGE = "https://hf.co/settings/tokens"  # noqa: S105 - the page where tokens are made
# whose terms must be accepted before a gated model can be had
GATED = {
    "pyannote/speaker-diarization-3.1": ("pyannote/speaker-diarization-3.1", "pyannote/segmentation-3.0"),
    "pyannote/segmentation-3.0": ("pyannote/segmentation-3.0",),
    "pyannote/speaker-diarization-community-1": ("pyannote/speaker-diarization-community-1",),
}
# what is wanted of a model's repository, as glob patterns
PIPELINE_FILES = ("*.yaml", "*.bin", "*.npz", "*/*.bin", "*/*.npz")
WHISPER_FILES = ("config.json", "preprocessor_config.json", "model.bin", "tokenizer.json", "vocabulary.*")

_REPO_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)
_COMMIT = re.compile(r"[A-Za-z0-9][\w.-]*", re.ASCII)


def is_repo_id(text: str) -> bool:
    """Tell whether `text` has the form ORG/NAME and nothing that could leave the store's folder."""
    return _REPO_ID.fullmatch(text) is not None


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
