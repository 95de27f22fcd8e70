"""NVIDIA Parakeet-TDT through NeMo, behind the transcription engine's interface."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.audio.limits import SAMPLE_RATE
from common.chunking import plan_windows
from common.errors import ConfigurationError, InvalidInputError
from common.progress import Tick
from common.settings import TranscriptionSettings
from common.timeline import Word
from handlers.device import load_with_fallback, pick_device
from handlers.hub import find_model
from handlers.transcription.engine import Hypothesis
from handlers.transcription.nemo_import import import_nemo, quiet
from handlers.transcription.words import clamped

MIN_SAMPLES = SAMPLE_RATE  # NeMo pads shorter audio on both sides and counts the padding in the times
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
            *("parakeet-rnnt-0.6b", "parakeet-rnnt-1.1b", "parakeet-ctc-0.6b", "parakeet-ctc-1.1b"),
        ),
        ENGLISH,
    ),
}
UNDETERMINED = "und"  # ISO 639-2: the model finds the language by itself and does not tell


class ParakeetEngine:
    """A loaded Parakeet model; see TranscriptionEngine."""

    def __init__(self, network: Any, *, model: str, device: str, chunk_duration_s: float) -> None:  # noqa: ANN401 - NeMo has no types
        self.model = model
        self.device = device
        self.warnings: tuple[str, ...] = ()
        self._network = network
        self._chunk_duration_s = chunk_duration_s
        self._languages = LANGUAGES.get(model.rpartition("/")[2])

    def transcribe(
        self, samples: NDArray[np.float32], *, language: str | None, chunk_duration_s: float | None, tick: Tick
    ) -> Hypothesis:
        """See TranscriptionEngine.transcribe; windows are cut at pauses and decoded one by one."""
        language = self._checked(language)
        words: list[Word] = []
        for first, last in plan_windows(samples, max_window_s=chunk_duration_s or self._chunk_duration_s):
            tick("transcription", first / len(samples))
            with self._interruptible(tick, first / len(samples)):
                words.extend(word.shifted(first / SAMPLE_RATE) for word in self._window(samples[first:last]))
        tick("transcription", 1.0)
        return Hypothesis(words=clamped(words, duration_s=len(samples) / SAMPLE_RATE), language=language)

    def _window(self, samples: NDArray[np.float32]) -> Iterator[Word]:
        padded = np.pad(samples, (0, max(0, MIN_SAMPLES - len(samples))))
        # batch size 1: in larger ones NeMo's decoder overwrites word ends (https://github.com/NVIDIA-NeMo/NeMo/issues/16097)
        with quiet():
            found = self._network.transcribe([padded], timestamps=True, batch_size=1, verbose=False)[0]
        return _words(found.timestamp["word"], duration_s=len(samples) / SAMPLE_RATE)

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

    @contextmanager
    def _interruptible(self, tick: Tick, fraction: float) -> Iterator[None]:
        """Call `tick` before every encoder layer, so that a stopped job does not wait for the window's end."""
        hooks = [
            layer.register_forward_pre_hook(lambda *_: tick("transcription", fraction))
            for layer in self._network.encoder.layers
        ]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()


def find_engine(settings: TranscriptionSettings) -> Callable[[], ParakeetEngine]:
    """Find the Parakeet model that the settings name; returns what loads it. Both raise ConfigurationError."""
    name, checkpoint = _locate(settings)
    return lambda: load_with_fallback(
        lambda device: _load(name, checkpoint, settings, device), pick_device(settings.device)
    )


def _locate(settings: TranscriptionSettings) -> tuple[str, Path]:
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
    checkpoint = min(folder.glob("*.nemo"), default=None)
    if checkpoint is None:
        raise ConfigurationError(f"the model {name} has no .nemo file: MODEL_ID must name a NeMo model")
    return checkpoint


def _load(name: str, checkpoint: Path, settings: TranscriptionSettings, device: str) -> ParakeetEngine:
    with quiet():
        network = import_nemo().restore_from(str(checkpoint), map_location=device)
    network.eval()
    engine = ParakeetEngine(network, model=name, device=device, chunk_duration_s=settings.chunk_duration_s)
    engine.transcribe(
        np.zeros(MIN_SAMPLES, np.float32), language=None, chunk_duration_s=None, tick=lambda _stage, _fraction: None
    )
    return engine


def _words(found: Iterable[Mapping[str, Any]], *, duration_s: float) -> Iterator[Word]:
    for word in found:
        text = word["word"].strip()
        if text:
            start = min(max(float(word["start"]), 0.0), duration_s)
            yield Word(text=text, start=start, end=min(max(float(word["end"]), start), duration_s))
