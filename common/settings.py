"""All settings, each an environment variable declared once, read once in `main()` into one frozen object."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from common.audio.limits import AudioLimits
from common.errors import ConfigurationError
from common.setting_values import (
    ValueT,
    Variable,
    at_least,
    base_url,
    between,
    flag,
    header_text,
    one_of,
    port_number,
    positive,
    positive_int,
    price,
)

MIB = 1024 * 1024
DEVICES = ("auto", "cuda", "mps", "cpu")

PROFILE = Variable(
    "PARLEY_PROFILE",
    "runpod",
    "`runpod`: the full-size models; `laptop`: the models bundled in Python packages, no token, no download",
    one_of("runpod", "laptop"),
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
    "DIARIZATION_DEVICE", "auto", "where diarization runs: auto, cuda, mps, cpu", one_of(*DEVICES)
)
DIARIZATION_PIPELINE = Variable(
    "DIARIZATION_PIPELINE",
    "fast",
    "`fast`: Parley's own run of a pyannote pipeline's steps (of those with a segmentation of sets of speakers, as all "
    "published since 3.0); `stock`: pyannote's, several times slower",
    one_of("fast", "stock"),
)
DIARIZATION_HOP = Variable(
    "DIARIZATION_HOP_SECONDS",
    1.0,
    "seconds from one window of the `fast` pipeline to the next, 0.1 to 5: the more, the faster, with more errors",
    between(0.1, 5.0),
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
    one_of("parakeet", "whisper"),
    laptop="whisper",
)
MODEL_ID = Variable(
    "MODEL_ID",
    "nvidia/parakeet-tdt-0.6b-v2",
    "Parakeet: a hub id (looked up in the Model Store and the local cache first) or the path of a `.nemo` file",
    str,
)
TRANSCRIPTION_DEVICE = Variable(
    "TRANSCRIPTION_DEVICE", "auto", "where Parakeet runs: auto, cuda, mps, cpu", one_of(*DEVICES)
)
PRECISION = Variable(
    "TRANSCRIPTION_PRECISION",
    "auto",
    "what Parakeet computes with: float32, bfloat16, float16; `auto` is bfloat16 on GPUs that have it, else float32",
    one_of("auto", "float32", "bfloat16", "float16"),
)
CHUNK_DURATION = Variable(
    "CHUNK_DURATION", 20.0, "longest stretch of audio decoded at once, in seconds; above 20 as 20", at_least(5.0)
)
ON_WINDOW_FAILURE = Variable(
    "ON_WINDOW_FAILURE",
    "fail",
    "where the model fails on a stretch for good: `fail` the job, or `partial`, the other words and `coverage.failed`",
    one_of("fail", "partial"),
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
    "WHISPER_DEVICE", "auto", "where Whisper runs: auto, cuda, cpu", one_of("auto", "cuda", "cpu")
)
MODEL_STORE = Variable(
    "MODEL_STORE",
    "/runpod-volume/huggingface-cache/hub",
    "folder in which the platform caches the endpoint's model, laid out as a Hugging Face cache",
    str,
)
MAX_DURATION = Variable("MAX_AUDIO_SECONDS", 4 * 3600.0, "longest audio accepted, in seconds", positive)
MAX_DOWNLOAD = Variable("MAX_AUDIO_BYTES", 2048 * MIB, "largest audio file accepted, in bytes", positive_int)
FETCH_TIMEOUT = Variable("FETCH_TIMEOUT_SECONDS", 300.0, "total time to fetch the audio, in seconds", positive)
ALLOW_PRIVATE = Variable(
    "ALLOW_PRIVATE_ADDRESSES",
    False,  # noqa: FBT003 - a default value, named by its place
    "let audio URLs point at loopback and private networks",
    flag,
    laptop=True,
)
DIARIZATION_ENDPOINT_ID = Variable("DIARIZATION_ENDPOINT_ID", "", "id of the diarization endpoint", str)
TRANSCRIPTION_ENDPOINT_ID = Variable("TRANSCRIPTION_ENDPOINT_ID", "", "id of the transcription endpoint", str)
ORCHESTRATOR_ENDPOINT_ID = Variable(
    "ORCHESTRATOR_ENDPOINT_ID", "", "id of the orchestrator endpoint; without it the client orchestrates by itself", str
)
RUNPOD_API_KEY = Variable("RUNPOD_API_KEY", "", "key for calling the endpoints", header_text)
RUNPOD_BASE_URL = Variable("RUNPOD_BASE_URL", "https://api.runpod.ai/v2", "where the endpoints are reached", base_url)
JOB_DEADLINE = Variable(
    "JOB_DEADLINE_SECONDS",
    3600.0,
    "total time for one request, queueing and cold starts included, in seconds",
    positive,
)
ORCHESTRATOR_CONCURRENCY = Variable(
    "ORCHESTRATOR_CONCURRENCY", 32, "requests one orchestrator worker handles at once", positive_int
)
SPEAKER_NAMING_URL = Variable(
    "SPEAKER_NAMING_URL",
    "",
    "base URL of an OpenAI-compatible API, e.g. Ollama's `http://localhost:11434/v1`, that names speakers by what they "
    "say; it is sent parts of the transcript; empty: off",
    base_url,
)
SPEAKER_NAMING_MODEL = Variable("SPEAKER_NAMING_MODEL", "", "the language model that names speakers", str)
SPEAKER_NAMING_API_KEY = Variable(
    "SPEAKER_NAMING_API_KEY", "", "key for `SPEAKER_NAMING_URL`, where it asks for one", header_text
)
SPEAKER_NAMING_TIMEOUT = Variable(
    "SPEAKER_NAMING_TIMEOUT",
    60.0,
    "total time for naming the speakers of a recording, in seconds; a job's `executionTimeout` has to allow for it",
    positive,
)

WEBHOOK_SECRET = Variable(
    "WEBHOOK_SECRET",
    "",
    "signs what is posted to a request's `webhook`, by the scheme of standardwebhooks.com: `whsec_` and base64, or any "
    "text; without it such requests are refused",
    header_text,
)
S3_ENDPOINT_URL = Variable(
    "S3_ENDPOINT_URL",
    "",
    "S3-compatible storage for local recordings and results that fit no request; empty with a bucket: Amazon's own",
    base_url,
)
S3_BUCKET = Variable("S3_BUCKET", "", "bucket in that storage; empty: nothing is uploaded", str)
S3_ACCESS_KEY_ID = Variable("S3_ACCESS_KEY_ID", "", "key id for that storage", str)
S3_SECRET_ACCESS_KEY = Variable("S3_SECRET_ACCESS_KEY", "", "secret key for that storage", str)
S3_REGION = Variable("S3_REGION", "us-east-1", "region of that storage", str)
DIARIZATION_PRICE = Variable(
    "DIARIZATION_PRICE_PER_SECOND", 0.0, "price of a second of the diarization worker, for the `cost` of results", price
)
TRANSCRIPTION_PRICE = Variable("TRANSCRIPTION_PRICE_PER_SECOND", 0.0, "the same for the transcription worker", price)
ORCHESTRATOR_PRICE = Variable("ORCHESTRATOR_PRICE_PER_SECOND", 0.0, "the same for the orchestrator", price)
PRICE_CURRENCY = Variable("PRICE_CURRENCY", "USD", "what these prices are in", str)
LOG_FORMAT = Variable(
    "LOG_FORMAT", "text", "`text`: one readable line an event; `json`: one JSON object", one_of("text", "json")
)
METRICS_PORT = Variable("METRICS_PORT", 0, "port on which a worker serves Prometheus metrics; 0: none", port_number)

VARIABLES: tuple[Variable[Any], ...] = tuple(value for value in globals().values() if isinstance(value, Variable))


@dataclass(frozen=True, slots=True, kw_only=True)
class DiarizationSettings:
    """Which diarization model, where from, where to."""

    model: str
    device: str
    token: str = field(repr=False)
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
    token: str = field(repr=False)
    model_store: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointSettings:
    """Where the endpoints are and how long a request may take."""

    base_url: str
    api_key: str = field(repr=False)
    diarization_id: str
    transcription_id: str
    orchestrator_id: str
    deadline_s: float
    concurrency: int
    allow_private_addresses: bool = False


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
class StorageSettings:
    """S3-compatible storage; no `bucket`, no uploads."""

    endpoint_url: str = ""
    bucket: str = ""
    access_key_id: str = field(default="", repr=False)
    secret_access_key: str = field(default="", repr=False)
    region: str = S3_REGION.default

    def __post_init__(self) -> None:
        if self.bucket and not (self.access_key_id and self.secret_access_key):
            raise ConfigurationError("S3_BUCKET needs S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY", param="S3_BUCKET")


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceSettings:
    """What a second of each worker costs; 0: unknown."""

    diarization: float = 0.0
    transcription: float = 0.0
    orchestrator: float = 0.0
    currency: str = PRICE_CURRENCY.default


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportSettings:
    """How a process tells what it does: its log lines, its metrics."""

    log_format: str = LOG_FORMAT.default
    metrics_port: int = METRICS_PORT.default


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Every setting of every process."""

    profile: str
    limits: AudioLimits
    diarization: DiarizationSettings
    transcription: TranscriptionSettings
    endpoints: EndpointSettings
    naming: NamingSettings
    storage: StorageSettings = field(default_factory=StorageSettings)
    prices: PriceSettings = field(default_factory=PriceSettings)
    reports: ReportSettings = field(default_factory=ReportSettings)
    webhook_secret: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads variables by one profile."""

    env: Mapping[str, str]
    laptop: bool

    def __call__(self, variable: Variable[ValueT]) -> ValueT:
        return variable.read(self.env, laptop=self.laptop)


def load_settings(env: Mapping[str, str]) -> Settings:
    """Read all settings from `env`; raises ConfigurationError naming the variable that is wrong."""
    profile = PROFILE.read(env, laptop=False)
    read = _Reader(env, laptop=profile == "laptop")
    return Settings(
        profile=profile,
        limits=AudioLimits(
            max_download_bytes=read(MAX_DOWNLOAD),
            max_duration_s=read(MAX_DURATION),
            fetch_timeout_s=read(FETCH_TIMEOUT),
            allow_private_addresses=read(ALLOW_PRIVATE),
        ),
        diarization=_diarization(read),
        transcription=_transcription(read),
        endpoints=_endpoints(read),
        naming=NamingSettings(
            url=read(SPEAKER_NAMING_URL),
            model=read(SPEAKER_NAMING_MODEL),
            api_key=read(SPEAKER_NAMING_API_KEY),
            timeout_s=read(SPEAKER_NAMING_TIMEOUT),
        ),
        storage=_storage(read),
        prices=PriceSettings(
            diarization=read(DIARIZATION_PRICE),
            transcription=read(TRANSCRIPTION_PRICE),
            orchestrator=read(ORCHESTRATOR_PRICE),
            currency=read(PRICE_CURRENCY),
        ),
        reports=ReportSettings(log_format=read(LOG_FORMAT), metrics_port=read(METRICS_PORT)),
        webhook_secret=read(WEBHOOK_SECRET),
    )


def _diarization(read: _Reader) -> DiarizationSettings:
    return DiarizationSettings(
        model=read(DIARIZATION_MODEL),
        device=read(DIARIZATION_DEVICE),
        token=read(TOKEN),
        model_store=Path(read(MODEL_STORE)),
        pipeline=read(DIARIZATION_PIPELINE),
        hop_s=read(DIARIZATION_HOP),
    )


def _transcription(read: _Reader) -> TranscriptionSettings:
    return TranscriptionSettings(
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
    )


def _endpoints(read: _Reader) -> EndpointSettings:
    return EndpointSettings(
        base_url=read(RUNPOD_BASE_URL),
        api_key=read(RUNPOD_API_KEY),
        diarization_id=read(DIARIZATION_ENDPOINT_ID),
        transcription_id=read(TRANSCRIPTION_ENDPOINT_ID),
        orchestrator_id=read(ORCHESTRATOR_ENDPOINT_ID),
        deadline_s=read(JOB_DEADLINE),
        concurrency=read(ORCHESTRATOR_CONCURRENCY),
        allow_private_addresses=read(ALLOW_PRIVATE),
    )


def _storage(read: _Reader) -> StorageSettings:
    return StorageSettings(
        endpoint_url=read(S3_ENDPOINT_URL),
        bucket=read(S3_BUCKET),
        access_key_id=read(S3_ACCESS_KEY_ID),
        secret_access_key=read(S3_SECRET_ACCESS_KEY),
        region=read(S3_REGION),
    )
