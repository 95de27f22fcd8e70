"""A model hub for the doctor's tests: what it caches, what it answers, and what it was asked."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from orchestrator.doctor_hub import Access


class FakeHub:
    def __init__(
        self, *, access: Mapping[str, Access] | None = None, cached: Mapping[str, Path] | None = None, token: str = ""
    ) -> None:
        self.asked: list[tuple[str, str]] = []
        self._access = access or {}
        self._cached = cached or {}
        self._token = token

    def stored_token(self) -> str:
        return self._token

    def cached(self, repo_id: str, files: Sequence[str]) -> Path | None:
        return self._cached.get(repo_id)

    def access(self, repo_id: str, *, token: str) -> Access:
        self.asked.append((repo_id, token))
        return self._access.get(repo_id, "granted")
