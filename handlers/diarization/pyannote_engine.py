"""pyannote.audio behind the diarization engine's interface."""

import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from common.audio.limits import SAMPLE_RATE
from common.logs import log_event
from common.progress import Tick
from common.settings import DiarizationSettings
from handlers.device import load_with_fallback, pick_device
from handlers.diarization.engine import Diarization, SpeakerCount
from handlers.diarization.outcome import Spoken, outcome
from handlers.diarization.pipelines import Located, build, locate
from handlers.faults import lost_device_told

if TYPE_CHECKING:
    from handlers.diarization.fast_pipeline import FastPipeline

# On a CPU a batch takes tenths of a second, so that a cancelled job ends soon; a GPU wants large ones.
CPU_BATCH_SIZES = (4, 1)
GPU_BATCH_SIZES = (32, 32)
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
        same_voice_similarity: float,
        fast: Callable[..., Diarization] | None = None,
    ) -> None:
        self.model = model
        self.device = device
        self.warnings: tuple[str, ...] = ()
        self.embedding_dimension = int(pipeline._embedding.dimension)  # noqa: SLF001 - pyannote has no public name
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
    pipeline = build(located)
    import torch  # noqa: PLC0415 - slow

    if device == "cuda":
        # fp32: pyannote disables TF32 at the first run anyway, with a warning
        # (https://github.com/pyannote/pyannote-audio/issues/1370)
        torch.backends.cuda.matmul.allow_tf32 = False
        torch.backends.cudnn.allow_tf32 = False
    pipeline.to(torch.device(device))
    sizes = CPU_BATCH_SIZES if device == "cpu" else GPU_BATCH_SIZES
    pipeline.segmentation_batch_size, pipeline.embedding_batch_size = sizes
    fast = _fast(pipeline, hop_s=settings.hop_s, device=device) if settings.pipeline == "fast" else None
    with _expected_warnings_ignored():
        _warm_up(pipeline) if fast is None else fast.warm_up()
    return PyannoteEngine(
        pipeline,
        model=located.name,
        device=device,
        same_voice_similarity=located.same_voice_similarity,
        fast=fast,
    )


def _fast(pipeline: Any, *, hop_s: float, device: str) -> "FastPipeline | None":  # noqa: ANN401
    """Return Parley's run of the pipeline; None for one whose steps are not known, which pyannote runs."""
    from handlers.diarization import fast_pipeline  # noqa: PLC0415 - imports pyannote, which must come by its own way

    if fast_pipeline.runs(pipeline):
        return fast_pipeline.FastPipeline(pipeline, hop_s=hop_s, device=device)
    log_event(
        logger, "stock_pipeline", reason="the segmentation model is not one that tells sets of speakers at 16 kHz"
    )
    return None


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
