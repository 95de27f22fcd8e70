"""pyannote.audio behind the diarization engine's interface."""

import math
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.audio.limits import SAMPLE_RATE
from common.progress import Tick
from common.settings import DiarizationSettings
from common.timeline import Turn
from handlers.device import load_with_fallback, pick_device
from handlers.diarization.engine import Diarization, SpeakerCount
from handlers.diarization.pipelines import Located, build, locate

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


class PyannoteEngine:
    """A loaded pyannote pipeline; see DiarizationEngine."""

    def __init__(
        self,
        pipeline: Any,  # noqa: ANN401 - pyannote has no types
        *,
        model: str,
        device: str,
        same_voice_similarity: float,
    ) -> None:
        self.model = model
        self.device = device
        self.warnings: tuple[str, ...] = ()
        self.embedding_dimension = int(pipeline._embedding.dimension)  # noqa: SLF001 - pyannote has no public name
        self.same_voice_similarity = same_voice_similarity
        self._pipeline = pipeline

    def diarize(self, samples: NDArray[np.float32], *, count: SpeakerCount, tick: Tick) -> Diarization:
        """See DiarizationEngine.diarize; silence and very short audio have no turns."""
        tick("segmentation", 0.0)
        if len(samples) == 0:
            return Diarization(turns=(), exclusive=(), embeddings={})
        import torch  # noqa: PLC0415 - loaded long ago, with the pipeline

        with _expected_warnings_ignored():
            output = self._pipeline(
                {"waveform": torch.from_numpy(samples)[None], "sample_rate": SAMPLE_RATE, "uri": "job"},
                num_speakers=count.exact,
                min_speakers=count.at_least,
                max_speakers=count.at_most,
                hook=_hook(tick),
            )
        return _diarization(output, duration_s=len(samples) / SAMPLE_RATE)


def find_engine(settings: DiarizationSettings) -> Callable[[], PyannoteEngine]:
    """Find the pipeline that the settings name; returns what loads it. Both raise ConfigurationError."""
    located = locate(settings)
    return lambda: load_with_fallback(lambda device: _load(located, device), pick_device(settings.device))


def _load(located: Located, device: str) -> PyannoteEngine:
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
    _warm_up(pipeline)
    return PyannoteEngine(
        pipeline, model=located.name, device=device, same_voice_similarity=located.same_voice_similarity
    )


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
        yield


def _hook(tick: Tick) -> Callable[..., None]:
    done = 0.0

    def hook(step: str, _artifact: object, *, completed: int = 1, total: int = 1, **_: object) -> None:
        nonlocal done
        first, last = STEPS.get(step, (done, done))
        done = max(done, first + (last - first) * min(float(completed / max(total, 1)), 1.0))
        tick(step, done)

    return hook


def _diarization(output: Any, *, duration_s: float) -> Diarization:  # noqa: ANN401
    turns = _turns(output.speaker_diarization, duration_s)
    exclusive = _turns(output.exclusive_speaker_diarization, duration_s)
    labels = _labels_by_appearance((*turns, *exclusive))
    vectors = zip(output.speaker_diarization.labels(), output.speaker_embeddings, strict=True)
    return Diarization(
        turns=_renamed(turns, labels),
        exclusive=_renamed(exclusive, labels),
        embeddings=dict(sorted(_embeddings(dict(vectors), labels).items())),
    )


def _turns(annotation: Any, duration_s: float) -> list[Turn]:  # noqa: ANN401
    """Return the annotation's turns, clipped to the audio, which the models pad with silence."""
    spans = [
        (max(span.start, 0.0), min(span.end, duration_s), str(speaker))
        for span, _, speaker in annotation.itertracks(yield_label=True)
    ]
    return sorted(Turn(start=start, end=end, speaker=speaker) for start, end, speaker in spans if start < end)


def _labels_by_appearance(turns: tuple[Turn, ...]) -> dict[str, str]:
    names = dict.fromkeys(turn.speaker for turn in turns)
    return {name: f"SPEAKER_{number:02d}" for number, name in enumerate(names)}


def _renamed(turns: list[Turn], labels: Mapping[str, str]) -> tuple[Turn, ...]:
    return tuple(sorted(Turn(start=turn.start, end=turn.end, speaker=labels[turn.speaker]) for turn in turns))


def _embeddings(vectors: Mapping[str, Any], labels: Mapping[str, str]) -> dict[str, list[float]]:
    """Return one vector per speaker; none for a speaker who never talks alone long enough to have one."""
    found = {labels[name]: [float(value) for value in vector] for name, vector in vectors.items() if name in labels}
    return {name: vector for name, vector in found.items() if all(map(math.isfinite, vector)) and any(vector)}
