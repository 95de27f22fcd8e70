"""Where a model's files are: a local folder, the platform's Model Store, the local hub cache, or the hub itself."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from common.errors import ConfigurationError
from common.model_store import GATED, TOKEN_PAGE, is_repo_id, resolve_snapshot


def find_model(
    repo_id: str, *, store: Path, token: str, files: Sequence[str] | None = None, required: Sequence[str] = ()
) -> Path:
    """Return a local folder with the model's `files` (glob patterns, all by default), downloading it if need be.

    A folder in which nothing matches one of the patterns `required` is an interrupted download, and gets the rest.
    Raises ConfigurationError saying what to do when it cannot be had.
    """
    if not is_repo_id(repo_id):
        raise ConfigurationError(f"{repo_id!r} is neither a model on this machine nor a hub id of the form ORG/NAME")
    for folder in (resolve_snapshot(store, repo_id), _cached(repo_id, files)):
        if folder is not None and all(any(path.is_file() for path in folder.glob(one)) for one in required):
            return folder
    return _download(repo_id, token, files)


def _cached(repo_id: str, files: Sequence[str] | None) -> Path | None:
    from huggingface_hub import snapshot_download  # noqa: PLC0415 - slow, and not needed for models at hand
    from huggingface_hub.errors import LocalEntryNotFoundError  # noqa: PLC0415

    try:
        return Path(snapshot_download(repo_id, allow_patterns=files and list(files), local_files_only=True))
    except LocalEntryNotFoundError:
        return None


def _download(repo_id: str, token: str, files: Sequence[str] | None) -> Path:
    from huggingface_hub import get_token, snapshot_download  # noqa: PLC0415

    token = token or get_token() or ""
    if repo_id in GATED and not token:
        raise ConfigurationError(_no_token(repo_id))
    with hub_errors(repo_id):
        return Path(snapshot_download(repo_id, allow_patterns=files and list(files), token=token or None))


@contextmanager
def hub_errors(repo_id: str) -> Iterator[None]:
    """Turn what the hub's client raises into one ConfigurationError that says what to do and where."""
    from huggingface_hub import errors  # noqa: PLC0415

    try:
        yield
    except errors.GatedRepoError:
        raise ConfigurationError(_terms(repo_id)) from None
    except errors.RepositoryNotFoundError:
        raise ConfigurationError(_unknown(repo_id)) from None
    except (errors.HfHubHTTPError, errors.LocalEntryNotFoundError, errors.HTTPError, OSError) as error:
        raise ConfigurationError(_unreachable(repo_id, error)) from None


def _pages(repo_id: str) -> str:
    return " and ".join(f"https://hf.co/{name}" for name in GATED.get(repo_id, (repo_id,)))


def _no_token(repo_id: str) -> str:
    return (
        f"the model {repo_id} needs a Hugging Face token: accept its terms at {_pages(repo_id)}, create a token at "
        f"{TOKEN_PAGE} and set HUGGINGFACE_ACCESS_TOKEN (or set DIARIZATION_MODEL=bundled, which needs none)"
    )


def _terms(repo_id: str) -> str:
    return (
        f"the model {repo_id} refuses this Hugging Face token: accept its terms at {_pages(repo_id)} with the account "
        f"that owns the token, and see at {TOKEN_PAGE} that the token in HUGGINGFACE_ACCESS_TOKEN may read gated repos"
    )


def _unknown(repo_id: str) -> str:
    return (
        f"the hub has no model {repo_id}, or HUGGINGFACE_ACCESS_TOKEN may not see it: check the name at "
        f"https://hf.co/{repo_id} and the token at {TOKEN_PAGE}"
    )


def _unreachable(repo_id: str, error: BaseException) -> str:
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status == 401:
        return f"the hub refuses the token in HUGGINGFACE_ACCESS_TOKEN: create a new one at {TOKEN_PAGE}"
    reason = "network and disk space" if status is None else f"https://hf.co, which answered with status {status}"
    return (
        f"the model {repo_id} is not on this machine and could not be downloaded: check {reason}, or put the "
        "model into the folder MODEL_STORE names, or into the image at build time"
    )
