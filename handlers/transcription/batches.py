"""Decode many windows in batches sized to the memory; no fault of one window costs another its words."""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic

import numpy as np
from numpy.typing import NDArray

from common.audio.limits import SAMPLE_RATE
from common.chunking import Window
from common.progress import Tick
from common.timeline import Word
from handlers.transcription.attempts import Attempts, Heard, Share
from handlers.transcription.memory import DecoderMemory
from handlers.transcription.rescue import Rescue
from handlers.transcription.window_decoder import BatchT, Decoded, WindowDecoder, heard_in, length

MIN_FILL = 0.8  # of a batch is audio, the rest padding


def decode_windows(
    decoder: WindowDecoder[BatchT],
    samples: NDArray[np.float32],
    windows: Sequence[Window],
    *,
    memory: DecoderMemory,
    partial: bool,
    tick: Tick,
) -> list[Decoded]:
    """Decode `windows` of mono 16 kHz `samples`; returns what was heard in each, in the order given.

    A batch too large for the memory is made smaller, a window too large by itself is cut in parts. Where the model
    fails, a window is tried alone, then in float32, then in parts. Raises EngineError for what fails after all that
    (unless `partial`), where the memory does not hold even seconds, and when the GPU is lost; and what `tick` raises.
    """
    memory.start()
    share = Share(tick, windows)
    with ThreadPoolExecutor(1, thread_name_prefix="prepare-windows") as preparer:
        attempts = Attempts(decoder, samples, memory=memory, share=share, preparer=preparer)
        results = [Decoded() for _ in windows]
        for index, heard in _Pipeline(attempts, _Queue(windows, memory), windows):
            window = windows[index]
            rescue = Rescue(attempts, samples, window, partial=partial)
            results[index] = rescue.decoded() if heard is None else heard_in(window, heard)
            share.add(window)
        share.tell()
    return results


class _Queue:
    """Windows that wait, longest first: too large a batch shows at once, and neighbours need little padding."""

    def __init__(self, windows: Sequence[Window], memory: DecoderMemory) -> None:
        heard = (index for index, window in enumerate(windows) if length(window))
        self._waiting = deque(sorted(heard, key=lambda index: -length(windows[index])))
        self._windows = windows
        self._memory = memory

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def next_batch(self) -> list[int]:
        """Take the longest windows that fit together, at least one."""
        indices = [self._waiting.popleft()]
        longest = filled = length(self._windows[indices[0]])
        while self._waiting:
            count, added = len(indices) + 1, length(self._windows[self._waiting[0]])
            fits = self._memory.fits(count, longest_s=longest / SAMPLE_RATE)
            if not fits or filled + added < MIN_FILL * count * longest:
                break
            indices.append(self._waiting.popleft())
            filled += added
        return indices

    def put_back(self, indices: Sequence[int]) -> None:
        """Let the windows taken last wait again."""
        self._waiting.extendleft(reversed(indices))


class _Pipeline(Generic[BatchT]):
    """Decodes batch after batch, each prepared while the one before it is decoded."""

    def __init__(self, attempts: Attempts[BatchT], queue: _Queue, windows: Sequence[Window]) -> None:
        self._attempts = attempts
        self._queue = queue
        self._windows = windows
        self._ahead: tuple[list[int], Future[BatchT]] | None = None

    def __iter__(self) -> Iterator[tuple[int, tuple[Word, ...] | None]]:
        """Yield each window's index and words, None where it has to be tried by itself."""
        while self._queue or self._ahead:
            indices, heard = self._decode_next()
            if heard is None or None in heard:
                self._put_back_ahead()
            if heard is None:
                self._attempts.make_room(self._of(indices))
                if len(indices) > 1:
                    self._queue.put_back(indices)
                    continue
            yield from zip(indices, heard or [None], strict=True)

    def _decode_next(self) -> tuple[list[int], Heard]:
        indices, batch = self._ahead or self._begin()
        self._ahead = self._begin() if self._queue else None
        return indices, self._attempts.decode(self._of(indices), batch)

    def _begin(self) -> tuple[list[int], Future[BatchT]]:
        indices = self._queue.next_batch()
        return indices, self._attempts.prepared(self._of(indices))

    def _put_back_ahead(self) -> None:
        if self._ahead:
            self._queue.put_back(self._ahead[0])
            self._ahead = None

    def _of(self, indices: Sequence[int]) -> list[Window]:
        return [self._windows[index] for index in indices]
