"""NVIDIA Parakeet-TDT through NeMo, behind the transcription engine's interface."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.audio.limits import SAMPLE_RATE
from common.chunking import CONTEXT_S, Window
from common.cold_start import stage_passed
from common.errors import ConfigurationError, InvalidInputError
from common.logs import log_event
from common.progress import Tick
from common.settings import MODEL_ID, TranscriptionSettings
from common.timeline import UNDETERMINED
from handlers.device import first_line, load_with_fallback, pick_device
from handlers.hub import find_model
from handlers.nemo.checkpoint import CONFIG, restore
from handlers.transcription.batches import decode_windows
from handlers.transcription.engine import DecodingOptions, Hypothesis
from handlers.transcription.long_form import LongForm
from handlers.transcription.memory import DecoderMemory, measured_memory, plain_memory
from handlers.transcription.nemo_decoder import NemoDecoder
from handlers.transcription.speech_detector import find_speech
from handlers.transcription.window_decoder import Decoded, WindowDecoder

WINDOW_S = 20.0  # the longest, whatever is allowed: in longer ones more words are lost (benchmarks/longform)
ENGLISH = ("en",)
# https://huggingface.co/nvidia/parakeet-tdt-0.6b-v3
EUROPEAN = tuple(
    "bg cs da de el en es et fi fr hr hu it lt lv mt nl pl pt ro ru sk sl sv uk".split()  # noqa: SIM905 - readable
)
# https://huggingface.co/nvidia?search_models=parakeet; other models may speak anything
LANGUAGES = {
    "parakeet-tdt-0.6b-v3": EUROPEAN,
    **dict.fromkeys(
        (
            *("parakeet-tdt-0.6b-v2", "parakeet-tdt-1.1b", "parakeet-tdt_ctc-110m", "parakeet-tdt_ctc-1.1b"),
            *("parakeet-rnnt-0.6b", "parakeet-rnnt-1.1b"),
        ),
        ENGLISH,
    ),
}


logger = logging.getLogger(__name__)


class ParakeetEngine:
    """A loaded Parakeet model; see TranscriptionEngine."""

    def __init__(
        self,
        decoder: WindowDecoder[Any],
        *,
        model: str,
        device: str,
        chunk_duration_s: float,
        partial: bool,
        memory: DecoderMemory,
    ) -> None:
        self.model = model
        self.device = device
        self.warnings: tuple[str, ...] = ()
        self._decoder = decoder
        self._chunk_duration_s = chunk_duration_s
        self._partial = partial
        self._memory = memory
        self._languages = LANGUAGES.get(model.rpartition("/")[2])

    def transcribe(self, samples: NDArray[np.float32], *, options: DecodingOptions, tick: Tick) -> Hypothesis:
        """See TranscriptionEngine.transcribe."""
        language = self._checked(options.language)
        long_form = LongForm(
            samples=samples,
            decode=self.decode,
            max_window_s=min(options.chunk_duration_s or self._chunk_duration_s, WINDOW_S),
            context_s=CONTEXT_S,
            partial=self._partial,
        )
        with self._decoder.expecting(options.hotwords):
            words, coverage = long_form.transcribe(spans=options.spans, tick=tick)
        return Hypothesis(words=words, language=language, coverage=coverage)

    def decode(
        self, samples: NDArray[np.float32], windows: Sequence[Window], *, partial: bool, tick: Tick
    ) -> list[Decoded]:
        """Decode `windows` in batches; see DecodeWindows."""
        return decode_windows(self._decoder, samples, windows, memory=self._memory, partial=partial, tick=tick)

    def _checked(self, language: str | None) -> str:
        if language is None:
            return "en" if self._languages == ENGLISH else UNDETERMINED
        code = language.split("-")[0].lower()
        if self._languages is not None and code not in self._languages:
            raise InvalidInputError(
                f"the model {self.model} does not speak {language!r}, only {', '.join(self._languages)}; leave "
                "`language` out or use a multilingual model",
                param="language",
            )
        return code


def find_engine(settings: TranscriptionSettings) -> Callable[[], ParakeetEngine]:
    """Find the Parakeet model that the settings name; returns what loads it. Both raise ConfigurationError."""
    name, checkpoint = locate(settings)
    return lambda: load_with_fallback(
        lambda device: _load(name, checkpoint, settings, device), pick_device(settings.device)
    )


def locate(settings: TranscriptionSettings) -> tuple[str, Path]:
    """Return the model's name and its `.nemo` file."""
    given = Path(settings.model_id)
    if given.suffix == ".nemo":
        if not given.is_file():
            raise ConfigurationError("MODEL_ID names a .nemo file that is not on this machine")
        return given.stem, given
    if given.is_dir():
        return given.name, _checkpoint(given, given.name)
    folder = find_model(
        settings.model_id, store=settings.model_store, token=settings.token, files=("*.nemo",), required=("*.nemo",)
    )
    return settings.model_id, _checkpoint(folder, settings.model_id)


def _checkpoint(folder: Path, name: str) -> Path:
    if (folder / CONFIG).is_file():
        return folder
    checkpoint = min(folder.glob("*.nemo"), default=None)
    if checkpoint is None:
        raise ConfigurationError(f"the model {name} has no .nemo file: MODEL_ID must name a NeMo model")
    return checkpoint


def _load(name: str, checkpoint: Path, settings: TranscriptionSettings, device: str) -> ParakeetEngine:
    decoder = NemoDecoder(
        restore(checkpoint, device=device, variable=MODEL_ID.name),
        device=device,
        precision=resolve_precision(settings.precision, device),
    )
    stage_passed("load")
    warnings = _warm_up(decoder)
    stage_passed("inference")
    engine = ParakeetEngine(
        decoder,
        model=name,
        device=device,
        chunk_duration_s=settings.chunk_duration_s,
        partial=settings.on_window_failure == "partial",
        memory=_memory(decoder, device),
    )
    engine.warnings = warnings
    return engine


def resolve_precision(wanted: str, device: str) -> str:
    """Return what the setting comes to on this device; a CPU computes no faster in half precision."""
    if wanted != "auto":
        return wanted
    import torch  # noqa: PLC0415 - importing this module must stay cheap

    has_bfloat16 = device == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    return "bfloat16" if has_bfloat16 else "float32"


def _warm_up(decoder: NemoDecoder) -> tuple[str, ...]:
    """Decode a first second, without CUDA graphs if the driver cannot run them; returns a warning then."""
    second = np.zeros(SAMPLE_RATE, np.float32)
    find_speech(second, Event())  # loads its model
    try:
        _decode_alone(decoder, second)
    except Exception as error:  # CUDA, NVRTC and NeMo raise anything
        if not decoder.uses_cuda_graphs:
            raise
        log_event(logger, "cuda_graphs_avoided", reason=first_line(error))
    else:
        return ()
    decoder.avoid_cuda_graphs()
    _decode_alone(decoder, second)
    return ("this GPU's driver cannot run CUDA graphs, so that decoding is slower",)


def _decode_alone(decoder: NemoDecoder, samples: NDArray[np.float32]) -> None:
    decoder.decode(decoder.prepare([samples]), lambda: None)


def _memory(decoder: NemoDecoder, device: str) -> DecoderMemory:
    if device != "cuda":
        return plain_memory()
    import torch  # noqa: PLC0415

    return measured_memory(lambda samples: _decode_alone(decoder, samples), longest_s=WINDOW_S, cuda=torch.cuda)
