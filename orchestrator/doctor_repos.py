"""Whether a worker here would find a model by its hub id: in the Model Store, a cache, a package, or on the hub."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from common.model_store import GATED, TOKEN_PAGE, baked_folder, missing_files, resolve_snapshot
from common.settings import DIARIZATION_MODEL, PROFILE, TOKEN, DiarizationSettings
from orchestrator.doctor_hub import Access, Hub

Seen = tuple[str, str]  # what is there; the cure, empty when it is well

REFUSALS: dict[Access, Seen] = {
    "gated": (
        "the hub refuses the token",
        f"accept the terms on {{page}} with the token's account, and see on {TOKEN_PAGE} that it may read gated repos",
    ),
    "unknown": ("unknown to the hub", f"check the name on {{page}}, and on {TOKEN_PAGE} what the token may see"),
    "bad_token": ("the hub does not know the token", f"make a new one on {TOKEN_PAGE} and set {TOKEN.name}"),
    "unreachable": (
        "not on this machine, and the hub does not answer",
        "check the network, or put the model into the folder that MODEL_STORE names",
    ),
    "no_client": ("not on this machine, and huggingface_hub is not installed", "run `make install`"),
}


class Place(NamedTuple):
    """A folder that may have a model, and where it is in words."""

    words: str
    folder: Path


class RepoCheck:
    """Looks where a worker with these settings looks, in the same order, but downloads nothing."""

    def __init__(self, settings: DiarizationSettings, hub: Hub) -> None:
        self._settings = settings
        self._hub = hub

    def seen(self, repo_id: str, *, files: Sequence[str], required: Sequence[str]) -> Seen:
        """Tell where the model is, or why it cannot be had; `files` of it are wanted, `required` have to be there."""
        place = self.place(repo_id, files=files, required=required)
        if place is not None:
            return f"{repo_id} ({place.words})", ""
        seen, cure = self._on_hub(repo_id)
        broken = next(self._places(repo_id, files), None)
        if cure and broken:
            seen = f"{seen}; {broken.words} it lacks {', '.join(missing_files(broken.folder, required))}"
        return seen, cure

    def place(self, repo_id: str, *, files: Sequence[str], required: Sequence[str]) -> Place | None:
        """Return the first place on this machine that has all that is required of the model."""
        places = self._places(repo_id, files)
        return next((place for place in places if not missing_files(place.folder, required)), None)

    def _places(self, repo_id: str, files: Sequence[str]) -> Iterator[Place]:
        if stored := resolve_snapshot(self._settings.model_store, repo_id):
            yield Place("in the Model Store", stored)
        if cached := self._hub.cached(repo_id, files):
            yield Place("in the local hub cache", cached)
        if baked := baked_folder(repo_id):
            yield Place("in an installed package", baked)

    def _on_hub(self, repo_id: str) -> Seen:
        token = self._settings.token or self._hub.stored_token()
        if repo_id in GATED and not token:
            return f"{repo_id}: no token", _no_token(repo_id)
        access = self._hub.access(repo_id, token=token)
        if access == "granted":
            return f"{repo_id} (from the hub, which grants access)", ""
        if access == "gated" and not token:
            return f"{repo_id}: no token", _no_token(repo_id)
        seen, cure = REFUSALS[access]
        return f"{repo_id}: {seen}", cure.format(page=f"https://hf.co/{repo_id}")


def _no_token(repo_id: str) -> str:
    pages = " and ".join(f"https://hf.co/{name}" for name in GATED.get(repo_id, (repo_id,)))
    return (
        f"accept the terms on {pages}, make a token on {TOKEN_PAGE} and set {TOKEN.name}; or use the bundled models: "
        f"{DIARIZATION_MODEL.name}=bundled for diarization alone, {PROFILE.name}=laptop for both"
    )
