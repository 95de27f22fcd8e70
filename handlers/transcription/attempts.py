"""One try at a batch of windows, with what an exception of the model means for the next one."""

import logging
from collections.abc import Sequence
from concurrent.futures import Executor, Future
from contextlib import nullcontext
from typing import Generic

import numpy as np
from numpy.typing import NDArray

from common.chunking import Window
from common.errors import JobCancelledError
from common.logs import log_event
from common.progress import Tick
from common.timeline import Word
from handlers.faults import device_lost, is_device_lost, is_out_of_memory, place
from handlers.transcription.memory import DecoderMemory
from handlers.transcription.window_decoder import BatchT, WindowDecoder, length, seconds

Heard = Sequence[tuple[Word, ...] | None] | None  # None for a window on which the model fails; None: out of memory

logger = logging.getLogger(__name__)


class Share:
    """The share of all audio that is decoded, told to `tick`; never goes back."""

    def __init__(self, tick: Tick, windows: Sequence[Window]) -> None:
        self._tick = tick
        self._total = sum(map(length, windows))
        self._done = 0

    def tell(self) -> None:
        """Report the share; raises JobCancelledError once the job was stopped."""
        self._tick("transcription", self._done / self._total if self._total else 1.0)

    def add(self, window: Window) -> None:
        """Count the window as done."""
        self._done += length(window)


class Attempts(Generic[BatchT]):
    """Tries at batches of windows of `samples`; `preparer` is an executor with one thread."""

    def __init__(
        self,
        decoder: WindowDecoder[BatchT],
        samples: NDArray[np.float32],
        *,
        memory: DecoderMemory,
        share: Share,
        preparer: Executor,
    ) -> None:
        self._decoder = decoder
        self._samples = samples
        self._memory = memory
        self._share = share
        self._preparer = preparer

    def prepared(self, windows: Sequence[Window]) -> Future[BatchT]:
        """Begin to prepare a batch."""
        audio = [self._samples[window.first : window.last] for window in windows]
        return self._preparer.submit(self._decoder.prepare, audio)

    def decode(self, windows: Sequence[Window], batch: Future[BatchT], *, careful: bool = False) -> Heard:
        """Return the windows' words, each with times from its own first sample.

        Raises DeviceLostError when the GPU is lost, and what the job's tick raises.
        """
        self._share.tell()
        try:
            with self._decoder.careful() if careful else nullcontext():
                heard = self._decoder.decode(batch.result(), self._share.tell)
            return [words for _, words in zip(windows, heard, strict=True)]
        except JobCancelledError:
            raise
        except Exception as error:  # the boundary to the model: torch, NeMo, numba and CUDA raise anything
            kind = type(error).__name__
            log_event(logger, "windows_failed", error=kind, at=place(error), windows=len(windows), careful=careful)
            if is_device_lost(error):
                raise device_lost() from error
            return None if is_out_of_memory(error) else [None] * len(windows)

    def make_room(self, windows: Sequence[Window]) -> None:
        """Allow less after `windows` did not fit, and free what is cached; their batch must be out of use."""
        self._memory.shrink(len(windows), longest_s=max(map(seconds, windows)))
        self._preparer.submit(self._decoder.free_memory).result()  # there: not beside a `prepare` still running
