"""A pyannote pipeline's steps, run without computing anything twice.

Segmentation, clustering and all decisions are pyannote's (pyannote.audio 4.0.7, SpeakerDiarization.apply), and so are
the turns. But its windows overlap by nine tenths, and what they share is computed once here: the filters of the
segmentation, and of the embedding its features or its network, whichever all speakers of a window can share. What is
different is meant: nobody talks beside another in a frame in which no window hears them, exclusive turns stay so where
pauses are bridged, and long recordings are clustered by a part of their embeddings (see `clustering`).
"""

import math
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from common.audio.blocks import Samples
from common.audio.limits import SAMPLE_RATE
from common.progress import Tick, part_of
from handlers.diarization.clustering import cluster
from handlers.diarization.compute import Compute, Report, halved, one_core
from handlers.diarization.embedding import Local, Vectors, Windows, embedding_masks
from handlers.diarization.engine import Diarization, SpeakerCount
from handlers.diarization.frames import FrameGrid, Speech, active, lay_out, spans, speakers_at_once, votes
from handlers.diarization.outcome import Spoken, outcome
from handlers.diarization.parts import Parts
from handlers.diarization.segmentation import BATCH_WINDOWS, WindowedSegmentation

HOP_STEP = 160  # samples: windows begin where the features of the embedding do
# From where to where each step takes the progress.
SEGMENTATION, EMBEDDINGS, CLUSTERING = (0.0, 0.35), (0.35, 0.97), (0.97, 0.99)
# In one batch: on a CPU a fraction of a second's work, so that a cancelled job ends soon.
CPU_EMBEDDINGS, GPU_EMBEDDINGS = 8, 64
MAX_WINDOWS = 128  # from the first to the last of a batch, whose audio is in memory at once


class FastPipeline:
    """Runs a pipeline's parts with windows every `hop_s` seconds, on the `device` they are on; one thread at a time."""

    def __init__(self, parts: Parts, *, hop_s: float, device: str) -> None:
        self._parts = parts
        self._hop = max(1, round(hop_s * SAMPLE_RATE / HOP_STEP)) * HOP_STEP
        step_s = parts.segmentation_step * parts.segmentation.specifications.duration
        self._thinned = self._hop / SAMPLE_RATE / step_s
        with one_core():
            self._segment = WindowedSegmentation(parts.segmentation, hop=self._hop)
        self._embed = parts.embed
        self._compute = Compute(device)
        self._embeddings_at_once = CPU_EMBEDDINGS if device == "cpu" else GPU_EMBEDDINGS
        self._warm_up_windows = 1 if device == "cpu" else BATCH_WINDOWS  # a GPU's kernels are chosen by shape

    def __call__(self, samples: Samples, *, count: SpeakerCount, tick: Tick) -> Diarization:
        """Find the speakers of mono 16 kHz `samples`."""
        speech = self._speech(samples, partial(part_of(tick, *SEGMENTATION), "segmentation"))
        grid = self._grid(len(speech))
        at_once = speakers_at_once(speech, grid)
        tick("speaker_counting", SEGMENTATION[1])
        duration_s = len(samples) / SAMPLE_RATE
        if not at_once.any():
            return outcome((), (), {}, duration_s=duration_s)
        embeddings = self._embeddings(samples, speech, partial(part_of(tick, *EMBEDDINGS), "embeddings"))
        tick("clustering", CLUSTERING[0])
        labels, centroids = cluster(self._parts.clustering, embeddings, speech, count, thinned=self._thinned)
        tick("clustering", CLUSTERING[1])
        found = votes(speech, labels, grid)
        at_once = np.minimum(at_once, count.exact or count.at_most or found.shape[1])
        regular = self._spoken(active(found, at_once), grid, exclusive=False)
        exclusive = self._spoken(active(found, np.minimum(at_once, 1)), grid, exclusive=True)
        vectors = {str(number): vector.tolist() for number, vector in enumerate(centroids)}
        result = outcome(regular, exclusive, vectors, duration_s=duration_s)
        tick("discrete_diarization", 1.0)
        return result

    def warm_up(self) -> None:
        """Run both models once on batches as jobs have them, of noise: silence would never reach the embedding."""
        samples = self._segment.window + (self._warm_up_windows - 1) * self._hop
        noise = np.random.default_rng(0).normal(0.0, 0.1, samples).astype(np.float32)
        speech = self._speech(noise, lambda _: None)
        alone = np.zeros_like(speech)
        alone[:, :, 0] = 1
        self._embeddings(noise, alone, lambda _: None)

    def _speech(self, samples: Samples, report: Report) -> Speech:
        windows = self._segment.count(len(samples))
        batch = self._compute.share(windows, at_most=BATCH_WINDOWS)

        def segment(numbers: Sequence[int]) -> Speech:
            return self._segment(samples, first=numbers[0], last=numbers[-1] + 1)

        batches = [range(first, min(first + batch, windows)) for first in range(0, windows, batch)]
        return np.concatenate(self._compute.map(partial(halved, segment), batches, report))

    def _grid(self, windows: int) -> FrameGrid:
        frames = self._parts.segmentation.receptive_field
        window_s, hop_s = self._segment.window / SAMPLE_RATE, self._hop / SAMPLE_RATE
        return lay_out(frames, windows=windows, window_s=window_s, hop_s=hop_s)

    def _embeddings(self, samples: Samples, speech: Speech, report: Report) -> Vectors:
        """Return the embeddings (windows, speakers, dimension) of all who talk, and any for the others."""
        length = self._segment.window
        masks = embedding_masks(
            speech > 0,
            exclude_overlap=self._parts.embedding_exclude_overlap,
            min_frames=math.ceil(speech.shape[1] * self._parts.embedding_min_samples / length),
        )
        windows = Windows(samples, length, self._hop, masks)
        places = np.nonzero(masks.any(axis=1))
        wanted = [Local(int(window), int(speaker)) for window, speaker in zip(*places, strict=True)]
        batches = list(_batches(wanted, self._compute.share(len(wanted), at_most=self._embeddings_at_once)))
        computed = self._compute.map(partial(halved, partial(self._embed, windows)), batches, report)
        vectors = np.concatenate(computed)
        usable = vectors[np.isfinite(vectors).all(axis=1)]
        found = np.zeros((*speech.shape[::2], self._parts.embedding_dimension), np.float32)
        found[...] = usable[0] if len(usable) else np.nan
        found[places] = vectors
        return found

    def _spoken(self, talking: NDArray[np.bool_], grid: FrameGrid, *, exclusive: bool) -> Iterator[Spoken]:
        bridge_s = self._parts.min_duration_off_s
        anybody = talking.any(axis=1)
        for number, own in enumerate(talking.T):
            others = anybody & ~own if exclusive else None
            for start, end in spans(own, grid, bridge_s=bridge_s, others=others):
                yield start, end, str(number)


def _batches(wanted: list[Local], size: int) -> Iterator[list[Local]]:
    """Cut `wanted` into batches of whole windows, of about `size` and not far from each other."""
    batch: list[Local] = []
    for window, group in groupby(wanted, key=lambda local: local.window):
        if batch and (len(batch) >= size or window - batch[0].window >= MAX_WINDOWS):
            yield batch
            batch = []
        batch += group
    if batch:
        yield batch
