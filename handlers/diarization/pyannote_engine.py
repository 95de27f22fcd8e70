"""pyannote.audio behind the diarization engine's interface."""

import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from common.audio.limits import SAMPLE_RATE
from common.cold_start import stage_passed
from common.logs import log_event
from common.progress import Tick
from common.settings import DiarizationSettings
from handlers.device import load_with_fallback, pick_device
from handlers.diarization.compute import one_core
from handlers.diarization.engine import Diarization, SpeakerCount
from handlers.diarization.outcome import Spoken, outcome
from handlers.diarization.pipelines import Located, build, locate
from handlers.faults import lost_device_told
from handlers.lean_import import imported_meanwhile

if TYPE_CHECKING:
    from handlers.diarization.fast_pipeline import FastPipeline
    from handlers.diarization.parts import Parts

# On a CPU a batch takes tenths of a second, so that a cancelled job ends soon; a GPU wants large ones.
CPU_BATCH_SIZES = (4, 1)
GPU_BATCH_SIZES = (32, 32)
# what clustering would have to import in the first job otherwise
CLUSTERING_MODULES = ("scipy.cluster.hierarchy",)
# From where to where each of pyannote's steps takes the progress; clustering comes before the last.
STEPS = {
    "segmentation": (0.0, 0.35),
    "speaker_counting": (0.35, 0.35),
    "embeddings": (0.35, 0.97),
    "discrete_diarization": (0.97, 1.0),
}

logger = logging.getLogger(__name__)


class PyannoteEngine:
    """A loaded pyannote pipeline; see DiarizationEngine."""

    def __init__(
        self,
        pipeline: Any,  # noqa: ANN401 - pyannote has no types
        *,
        model: str,
        device: str,
        embedding_dimension: int,
        same_voice_similarity: float,
        fast: Callable[..., Diarization] | None = None,
    ) -> None:
        """Take a `pipeline` of pyannote's, or Parley's `fast` run of one."""
        self.model = model
        self.device = device
        self.warnings: tuple[str, ...] = ()
        self.embedding_dimension = embedding_dimension
        self.same_voice_similarity = same_voice_similarity
        self._pipeline = pipeline
        self._fast = fast

    def diarize(self, samples: NDArray[np.float32], *, count: SpeakerCount, tick: Tick) -> Diarization:
        """See DiarizationEngine.diarize; silence and very short audio have no turns."""
        tick("segmentation", 0.0)
        if len(samples) == 0:
            return Diarization(turns=(), exclusive=(), embeddings={})
        with lost_device_told(), _expected_warnings_ignored():
            return self._run(samples, count=count, tick=tick)

    def _run(self, samples: NDArray[np.float32], *, count: SpeakerCount, tick: Tick) -> Diarization:
        if self._fast is not None:
            return self._fast(samples, count=count, tick=tick)
        import torch  # noqa: PLC0415 - loaded long ago, with the pipeline

        output = self._pipeline(
            {"waveform": torch.from_numpy(samples)[None], "sample_rate": SAMPLE_RATE, "uri": "job"},
            num_speakers=count.exact,
            min_speakers=count.at_least,
            max_speakers=count.at_most,
            hook=_hook(tick),
        )
        return _outcome(output, duration_s=len(samples) / SAMPLE_RATE)


def find_engine(settings: DiarizationSettings) -> Callable[[], PyannoteEngine]:
    """Find the pipeline that the settings name; returns what loads it. Both raise ConfigurationError."""
    located = locate(settings)
    return lambda: load_with_fallback(lambda device: _load(located, device, settings), pick_device(settings.device))


def _load(located: Located, device: str, settings: DiarizationSettings) -> PyannoteEngine:
    import torch  # noqa: PLC0415 - slow

    if device == "cuda":
        # fp32: pyannote disables TF32 at the first run anyway, with a warning
        # (https://github.com/pyannote/pyannote-audio/issues/1370)
        torch.backends.cuda.matmul.allow_tf32 = False
        torch.backends.cudnn.allow_tf32 = False
    with _expected_warnings_ignored():
        parts = _lean_parts(located, device) if settings.pipeline == "fast" else None
        pipeline = _pyannotes(located, device) if parts is None else None
        if parts is None and settings.pipeline == "fast":
            parts = _known_parts(pipeline, device)
        fast = None if parts is None else _fast(parts, hop_s=settings.hop_s, device=device)
        stage_passed("load")
        with imported_meanwhile(*CLUSTERING_MODULES):
            _warm_up(pipeline) if fast is None else fast.warm_up()
        stage_passed("inference")
    return PyannoteEngine(
        pipeline,
        model=located.name,
        device=device,
        embedding_dimension=_dimension(pipeline) if parts is None else parts.embedding_dimension,
        same_voice_similarity=located.same_voice_similarity,
        fast=fast,
    )


def _dimension(pipeline: Any) -> int:  # noqa: ANN401
    return int(pipeline._embedding.dimension)  # noqa: SLF001 - pyannote has no public name


def _lean_parts(located: Located, device: str) -> "Parts | None":
    from handlers.diarization import lean_pipeline  # noqa: PLC0415 - imports torch

    stage_passed("library")
    with one_core():
        return lean_pipeline.load_parts(located, device=device)


def _pyannotes(located: Located, device: str) -> Any:  # noqa: ANN401
    import torch  # noqa: PLC0415 - loaded long ago

    pipeline = build(located)
    pipeline.to(torch.device(device))
    sizes = CPU_BATCH_SIZES if device == "cpu" else GPU_BATCH_SIZES
    pipeline.segmentation_batch_size, pipeline.embedding_batch_size = sizes
    return pipeline


def _known_parts(pipeline: Any, device: str) -> "Parts | None":  # noqa: ANN401
    """Return a pipeline's parts for Parley's run of it; None for one whose steps are not known, which pyannote runs."""
    from handlers.diarization.parts import parts_of  # noqa: PLC0415 - imports torch

    parts = parts_of(pipeline, device=device)
    if parts is None:
        reason = "the segmentation model is not one that tells sets of speakers at 16 kHz"
        log_event(logger, "stock_pipeline", reason=reason)
    return parts


def _fast(parts: "Parts", *, hop_s: float, device: str) -> "FastPipeline":
    from handlers.diarization.fast_pipeline import FastPipeline  # noqa: PLC0415 - imports torch

    return FastPipeline(parts, hop_s=hop_s, device=device)


def _warm_up(pipeline: Any) -> None:  # noqa: ANN401
    """Run both models once: silence alone would never reach the embedding."""
    import torch  # noqa: PLC0415

    noise = torch.randn(1, 1, SAMPLE_RATE, generator=torch.Generator().manual_seed(0))
    pipeline({"waveform": torch.zeros(1, SAMPLE_RATE), "sample_rate": SAMPLE_RATE, "uri": "warm-up"})
    pipeline._embedding(noise, masks=torch.ones(1, 100))  # noqa: SLF001 - pyannote has no public name for it


@contextmanager
def _expected_warnings_ignored() -> Iterator[None]:
    """Silence what short audio and few speakers make pyannote and numpy say; the handler says it in the result."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"\s*The detected number of speakers", category=UserWarning)
        warnings.filterwarnings("ignore", message=r"(Mean of empty slice|invalid value)", category=RuntimeWarning)
        # of one frame, while pyannote looks for the shortest audio that a model takes
        warnings.filterwarnings("ignore", message=r"std\(\): degrees of freedom", category=UserWarning)
        yield


def _hook(tick: Tick) -> Callable[..., None]:
    done = 0.0

    def hook(step: str, _artifact: object, *, completed: int = 1, total: int = 1, **_: object) -> None:
        nonlocal done
        first, last = STEPS.get(step, (done, done))
        done = max(done, first + (last - first) * min(float(completed / max(total, 1)), 1.0))
        tick(step, done)

    return hook


def _outcome(output: Any, *, duration_s: float) -> Diarization:  # noqa: ANN401
    vectors = zip(output.speaker_diarization.labels(), output.speaker_embeddings, strict=True)
    regular, exclusive = map(_spoken, (output.speaker_diarization, output.exclusive_speaker_diarization))
    return outcome(regular, exclusive, dict(vectors), duration_s=duration_s)


def _spoken(annotation: Any) -> Iterator[Spoken]:  # noqa: ANN401
    for span, _, speaker in annotation.itertracks(yield_label=True):
        yield span.start, span.end, str(speaker)
