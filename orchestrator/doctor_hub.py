"""What the doctor asks the Hugging Face hub and its local cache; nothing is downloaded."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Protocol

from common.model_store import cached_snapshot

ANSWER_TIMEOUT_S = 5.0

Access = Literal["granted", "gated", "unknown", "bad_token", "unreachable", "no_client"]


class Hub(Protocol):
    """What the doctor needs of a hub client."""

    def stored_token(self) -> str:
        """Return the token of `hf auth login`, empty without one."""

    def cached(self, repo_id: str, files: Sequence[str]) -> Path | None:
        """Return the local folder with all `files` (glob patterns) of the model, None unless it is complete."""

    def access(self, repo_id: str, *, token: str) -> Access:
        """Tell whether the model could be downloaded with `token`."""


class HuggingFaceHub:
    """The hub through `huggingface_hub`, which a machine without models may lack."""

    def stored_token(self) -> str:
        """See Hub.stored_token."""
        try:
            from huggingface_hub import get_token  # noqa: PLC0415 - optional
        except ImportError:
            return ""
        return get_token() or ""

    def cached(self, repo_id: str, files: Sequence[str]) -> Path | None:
        """See Hub.cached."""
        try:
            import huggingface_hub.constants  # noqa: PLC0415 - optional
            import huggingface_hub.errors  # noqa: PLC0415
        except ImportError:
            return None
        return cached_snapshot(repo_id, files, hub=huggingface_hub)

    def access(self, repo_id: str, *, token: str) -> Access:
        """See Hub.access; the route is that of `HfApi.auth_check`, which itself waits for ever."""
        try:
            from huggingface_hub import constants, errors  # noqa: PLC0415 - optional
            from huggingface_hub.utils import build_hf_headers, get_session, hf_raise_for_status  # noqa: PLC0415
        except ImportError:
            return "no_client"
        url = f"{constants.ENDPOINT}/api/models/{repo_id}/auth-check"
        try:
            headers = build_hf_headers(token=token or False)
            hf_raise_for_status(get_session().get(url, headers=headers, timeout=ANSWER_TIMEOUT_S))
        except errors.GatedRepoError:
            return "gated"
        except errors.RepositoryNotFoundError:
            return "unknown"
        except (errors.HTTPError, OSError) as error:
            status = getattr(getattr(error, "response", None), "status_code", None)
            return "bad_token" if status == 401 else "unreachable"
        return "granted"
