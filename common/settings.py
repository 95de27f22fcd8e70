"""All settings, each an environment variable declared once, read once in `main()` into one frozen object."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar
from urllib.parse import urlsplit

from common.audio.limits import AudioLimits
from common.errors import ConfigurationError

ValueT = TypeVar("ValueT")
MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Variable(Generic[ValueT]):
    """One environment variable: its name, meaning, default per profile, and how its text is read."""

    name: str
    default: ValueT
    meaning: str
    parse: Callable[[str], ValueT]
    laptop: ValueT | None = None
    aliases: tuple[str, ...] = ()

    def read(self, env: Mapping[str, str], *, laptop: bool) -> ValueT:
        """Return the value in `env`, else the profile's default; raises ConfigurationError naming the variable."""
        for name in (self.name, *self.aliases):
            text = env.get(name, "").strip()
            if text:
                return self._parsed(name, text)
        return self.laptop if laptop and self.laptop is not None else self.default

    def _parsed(self, name: str, text: str) -> ValueT:
        try:
            return self.parse(text)
        except ValueError as error:
            raise ConfigurationError(f"{name} is not valid: {error}", param=name) from None


def _positive(text: str) -> float:
    value = float(text)
    if not (math.isfinite(value) and value > 0):
        raise ValueError("expected a number above zero")
    return value


def _at_least(least: float) -> Callable[[str], float]:
    def parse(text: str) -> float:
        value = _positive(text)
        if value < least:
            raise ValueError(f"expected {least:g} or more")
        return value

    return parse


def _between(least: float, most: float) -> Callable[[str], float]:
    def parse(text: str) -> float:
        value = _positive(text)
        if not least <= value <= most:
            raise ValueError(f"expected {least:g} to {most:g}")
        return value

    return parse


def _positive_int(text: str) -> int:
    value = int(text)
    if value < 1:
        raise ValueError("expected a whole number above zero")
    return value


def _http_url(text: str) -> str:
    if not text.startswith(("http://", "https://")):
        raise ValueError("expected an http(s) URL")
    return text.rstrip("/")


def _base_url(text: str) -> str:
    """Read a URL to which paths are added, and which is sent a key of its own."""
    try:
        parts = urlsplit(text)
        is_base = bool(parts.hostname) and parts.port != 0
    except ValueError:
        raise ValueError("expected an http(s) URL") from None
    if parts.scheme not in {"http", "https"} or not is_base:
        raise ValueError("expected an http(s) URL")
    if parts.username is not None or "?" in text or "#" in text:
        raise ValueError("expected a URL without a user, a query or a fragment")
    return text.rstrip("/")


def _header_text(text: str) -> str:
    if not (text.isascii() and text.isprintable()):
        raise ValueError("expected one line of plain characters")
    return text


def _flag(text: str) -> bool:
    known = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}
    if text.lower() not in known:
        raise ValueError("expected true or false")
    return known[text.lower()]


def _one_of(*options: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in options:
            raise ValueError(f"expected one of {', '.join(options)}")
        return text

    return parse


DEVICES = ("auto", "cuda", "mps", "cpu")

PROFILE = Variable(
    "PARLEY_PROFILE",
    "runpod",
    "`runpod`: the full-size models; `laptop`: the models bundled in Python packages, no token, no download",
    _one_of("runpod", "laptop"),
)
DIARIZATION_MODEL = Variable(
    "DIARIZATION_MODEL",
    "pyannote/speaker-diarization-3.1",
    "`bundled`, `pyannote/speaker-diarization-3.1`, `pyannote/speaker-diarization-community-1`, a local folder; or for "
    "at most four speakers `nvidia/diar_streaming_sortformer_4spk-v2`, `nvidia/diar_sortformer_4spk-v1` (up to 5 min) "
    "or a `.nemo` file",
    str,
    laptop="bundled",
)
DIARIZATION_DEVICE = Variable(
    "DIARIZATION_DEVICE", "auto", "where diarization runs: auto, cuda, mps, cpu", _one_of(*DEVICES)
)
DIARIZATION_PIPELINE = Variable(
    "DIARIZATION_PIPELINE",
    "fast",
    "`fast`: Parley's own run of a pyannote pipeline's steps (of those with a segmentation of sets of speakers, as all "
    "published since 3.0); `stock`: pyannote's, several times slower",
    _one_of("fast", "stock"),
)
DIARIZATION_HOP = Variable(
    "DIARIZATION_HOP_SECONDS",
    1.0,
    "seconds from one window of the `fast` pipeline to the next, 0.1 to 5: the more, the faster, with more errors",
    _between(0.1, 5.0),
)
TOKEN = Variable(
    "HUGGINGFACE_ACCESS_TOKEN",
    "",
    "Hugging Face token for gated models (also `HF_TOKEN`)",
    str,
    aliases=("HF_TOKEN",),
)
TRANSCRIPTION_ENGINE = Variable(
    "TRANSCRIPTION_ENGINE",
    "parakeet",
    "`parakeet` (NVIDIA NeMo) or `whisper` (faster-whisper)",
    _one_of("parakeet", "whisper"),
    laptop="whisper",
)
MODEL_ID = Variable(
    "MODEL_ID",
    "nvidia/parakeet-tdt-0.6b-v2",
    "Parakeet: a hub id (looked up in the Model Store and the local cache first) or the path of a `.nemo` file",
    str,
)
TRANSCRIPTION_DEVICE = Variable(
    "TRANSCRIPTION_DEVICE", "auto", "where Parakeet runs: auto, cuda, mps, cpu", _one_of(*DEVICES)
)
PRECISION = Variable(
    "TRANSCRIPTION_PRECISION",
    "auto",
    "what Parakeet computes with: float32, bfloat16, float16; `auto` is bfloat16 on GPUs that have it, else float32",
    _one_of("auto", "float32", "bfloat16", "float16"),
)
CHUNK_DURATION = Variable(
    "CHUNK_DURATION", 20.0, "longest stretch of audio decoded at once, in seconds; above 20 as 20", _at_least(5.0)
)
ON_WINDOW_FAILURE = Variable(
    "ON_WINDOW_FAILURE",
    "fail",
    "where the model fails on a stretch for good: `fail` the job, or `partial`, the other words and `coverage.failed`",
    _one_of("fail", "partial"),
)
WHISPER_MODEL_SIZE = Variable(
    "WHISPER_MODEL_SIZE",
    "large-v3-turbo",
    "Whisper: a size, a hub id, a local folder, or `bundled` (tiny.en)",
    str,
    laptop="bundled",
)
WHISPER_COMPUTE_TYPE = Variable(
    "WHISPER_COMPUTE_TYPE",
    "default",
    "CTranslate2 compute type, e.g. int8, float16; `default` is int8 on a CPU, the model's own type on a GPU",
    str,
)
WHISPER_DEVICE = Variable(
    "WHISPER_DEVICE", "auto", "where Whisper runs: auto, cuda, cpu", _one_of("auto", "cuda", "cpu")
)
MODEL_STORE = Variable(
    "MODEL_STORE",
    "/runpod-volume/huggingface-cache/hub",
    "folder in which the platform caches the endpoint's model, laid out as a Hugging Face cache",
    str,
)
MAX_DURATION = Variable("MAX_AUDIO_SECONDS", 4 * 3600.0, "longest audio accepted, in seconds", _positive)
MAX_DOWNLOAD = Variable("MAX_AUDIO_BYTES", 2048 * MIB, "largest audio file accepted, in bytes", _positive_int)
FETCH_TIMEOUT = Variable("FETCH_TIMEOUT_SECONDS", 300.0, "total time to fetch the audio, in seconds", _positive)
ALLOW_PRIVATE = Variable(
    "ALLOW_PRIVATE_ADDRESSES",
    False,  # noqa: FBT003 - a default value, named by its place
    "let audio URLs point at loopback and private networks",
    _flag,
    laptop=True,
)
DIARIZATION_ENDPOINT_ID = Variable("DIARIZATION_ENDPOINT_ID", "", "id of the diarization endpoint", str)
TRANSCRIPTION_ENDPOINT_ID = Variable("TRANSCRIPTION_ENDPOINT_ID", "", "id of the transcription endpoint", str)
ORCHESTRATOR_ENDPOINT_ID = Variable(
    "ORCHESTRATOR_ENDPOINT_ID", "", "id of the orchestrator endpoint; without it the client orchestrates by itself", str
)
RUNPOD_API_KEY = Variable("RUNPOD_API_KEY", "", "key for calling the endpoints", str)
RUNPOD_BASE_URL = Variable("RUNPOD_BASE_URL", "https://api.runpod.ai/v2", "where the endpoints are reached", _http_url)
JOB_DEADLINE = Variable(
    "JOB_DEADLINE_SECONDS",
    3600.0,
    "total time for one request, queueing and cold starts included, in seconds",
    _positive,
)
ORCHESTRATOR_CONCURRENCY = Variable(
    "ORCHESTRATOR_CONCURRENCY", 32, "requests one orchestrator worker handles at once", _positive_int
)
SPEAKER_NAMING_URL = Variable(
    "SPEAKER_NAMING_URL",
    "",
    "base URL of an OpenAI-compatible API, e.g. Ollama's `http://localhost:11434/v1`, that names speakers by what they "
    "say; it is sent parts of the transcript; empty: off",
    _base_url,
)
SPEAKER_NAMING_MODEL = Variable("SPEAKER_NAMING_MODEL", "", "the language model that names speakers", str)
SPEAKER_NAMING_API_KEY = Variable(
    "SPEAKER_NAMING_API_KEY", "", "key for `SPEAKER_NAMING_URL`, where it asks for one", _header_text
)
SPEAKER_NAMING_TIMEOUT = Variable(
    "SPEAKER_NAMING_TIMEOUT",
    60.0,
    "total time for naming the speakers of a recording, in seconds; a job's `executionTimeout` has to allow for it",
    _positive,
)

VARIABLES: tuple[Variable[Any], ...] = tuple(value for value in globals().values() if isinstance(value, Variable))


@dataclass(frozen=True, slots=True, kw_only=True)
class DiarizationSettings:
    """Which diarization model, where from, where to."""

    model: str
    device: str
    token: str
    model_store: Path
    pipeline: str = DIARIZATION_PIPELINE.default
    hop_s: float = DIARIZATION_HOP.default


@dataclass(frozen=True, slots=True, kw_only=True)
class TranscriptionSettings:
    """Which transcription engine and model, where from, where to."""

    engine: str
    model_id: str
    device: str
    precision: str
    chunk_duration_s: float
    on_window_failure: str
    whisper_model_size: str
    whisper_compute_type: str
    whisper_device: str
    token: str
    model_store: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointSettings:
    """Where the endpoints are and how long a request may take."""

    base_url: str
    api_key: str
    diarization_id: str
    transcription_id: str
    orchestrator_id: str
    deadline_s: float
    concurrency: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NamingSettings:
    """The language model that names speakers; no `url`, no naming."""

    url: str = ""
    model: str = ""
    api_key: str = field(default="", repr=False)
    timeout_s: float = SPEAKER_NAMING_TIMEOUT.default

    def __post_init__(self) -> None:
        if self.url and not self.model:
            raise ConfigurationError(
                "SPEAKER_NAMING_URL needs SPEAKER_NAMING_MODEL, the name of a model there", param="SPEAKER_NAMING_MODEL"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Every setting of every process."""

    profile: str
    limits: AudioLimits
    diarization: DiarizationSettings
    transcription: TranscriptionSettings
    endpoints: EndpointSettings
    naming: NamingSettings


def load_settings(env: Mapping[str, str]) -> Settings:
    """Read all settings from `env`; raises ConfigurationError naming the variable that is wrong."""
    profile = PROFILE.read(env, laptop=False)

    def read(variable: Variable[ValueT]) -> ValueT:
        return variable.read(env, laptop=profile == "laptop")

    return Settings(
        profile=profile,
        limits=AudioLimits(
            max_download_bytes=read(MAX_DOWNLOAD),
            max_duration_s=read(MAX_DURATION),
            fetch_timeout_s=read(FETCH_TIMEOUT),
            allow_private_addresses=read(ALLOW_PRIVATE),
        ),
        diarization=DiarizationSettings(
            model=read(DIARIZATION_MODEL),
            device=read(DIARIZATION_DEVICE),
            token=read(TOKEN),
            model_store=Path(read(MODEL_STORE)),
            pipeline=read(DIARIZATION_PIPELINE),
            hop_s=read(DIARIZATION_HOP),
        ),
        transcription=TranscriptionSettings(
            engine=read(TRANSCRIPTION_ENGINE),
            model_id=read(MODEL_ID),
            device=read(TRANSCRIPTION_DEVICE),
            precision=read(PRECISION),
            chunk_duration_s=read(CHUNK_DURATION),
            on_window_failure=read(ON_WINDOW_FAILURE),
            whisper_model_size=read(WHISPER_MODEL_SIZE),
            whisper_compute_type=read(WHISPER_COMPUTE_TYPE),
            whisper_device=read(WHISPER_DEVICE),
            token=read(TOKEN),
            model_store=Path(read(MODEL_STORE)),
        ),
        endpoints=EndpointSettings(
            base_url=read(RUNPOD_BASE_URL),
            api_key=read(RUNPOD_API_KEY),
            diarization_id=read(DIARIZATION_ENDPOINT_ID),
            transcription_id=read(TRANSCRIPTION_ENDPOINT_ID),
            orchestrator_id=read(ORCHESTRATOR_ENDPOINT_ID),
            deadline_s=read(JOB_DEADLINE),
            concurrency=read(ORCHESTRATOR_CONCURRENCY),
        ),
        naming=NamingSettings(
            url=read(SPEAKER_NAMING_URL),
            model=read(SPEAKER_NAMING_MODEL),
            api_key=read(SPEAKER_NAMING_API_KEY),
            timeout_s=read(SPEAKER_NAMING_TIMEOUT),
        ),
    )
