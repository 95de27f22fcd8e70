"""NVIDIA Sortformer through NeMo, behind the diarization engine's interface: up to four speakers, no embeddings."""

import importlib.util
from collections.abc import Callable
from pathlib import PurePath

import numpy as np
from numpy.typing import NDArray

from common.audio.limits import SAMPLE_RATE
from common.errors import ConfigurationError, EngineError, InputTooLargeError, InvalidInputError
from common.progress import Tick
from common.settings import DIARIZATION_MODEL, DiarizationSettings
from handlers.device import load_with_fallback, pick_device
from handlers.diarization.activity import Binarization, speaker_turns, with_at_most
from handlers.diarization.engine import Diarization, SpeakerCount
from handlers.diarization.sortformer_models import STREAMING, Located, locate
from handlers.diarization.sortformer_network import SortformerNetwork
from handlers.faults import lost_device_told
from handlers.nemo.checkpoint import restore

# Of models that take all audio at once. Attention over 5 min takes 3.3 GB, over twice the length four times as much.
LONGEST_AT_ONCE_S = 300.0


class SortformerEngine:
    """A loaded Sortformer; see DiarizationEngine. It has no embeddings, so that it recognises nobody."""

    def __init__(self, network: SortformerNetwork, *, model: str, device: str, rule: Binarization) -> None:
        self.model = model
        self.device = device
        self.warnings: tuple[str, ...] = ()
        self.embedding_dimension = 0
        self.same_voice_similarity = 1.0
        self._network = network
        self._rule = rule

    def diarize(self, samples: NDArray[np.float32], *, count: SpeakerCount, tick: Tick) -> Diarization:
        """See DiarizationEngine.diarize; silence has no turns.

        Of more speakers than asked for, those who talk longest are kept, and the speech of the others is given to them.
        Raises InvalidInputError for more speakers than the model can tell apart, InputTooLargeError for audio that is
        too long for it.
        """
        duration_s = len(samples) / SAMPLE_RATE
        self._check(count, duration_s)
        tick("segmentation", 0.0)
        if len(samples) == 0:
            return Diarization(turns=(), exclusive=(), embeddings={})
        with lost_device_told():
            found = self._network.probabilities(samples, lambda fraction: tick("segmentation", fraction))
        if not np.isfinite(found).all():
            raise EngineError(f"the model {self.model} gave no numbers for this audio; try another DIARIZATION_MODEL")
        at_most = count.exact or count.at_most or self._network.speakers
        kept = with_at_most(found, speakers=at_most, onset=self._rule.onset)
        spoken = speaker_turns(kept, rule=self._rule, frame_s=self._network.frame_s, duration_s=duration_s)
        return Diarization(turns=spoken.turns, exclusive=spoken.exclusive, embeddings={})

    def _check(self, count: SpeakerCount, duration_s: float) -> None:
        for param, speakers in (("num_speakers", count.exact), ("min_speakers", count.at_least)):
            if speakers is not None and speakers > self._network.speakers:
                raise InvalidInputError(
                    f"the model {self.model} tells at most {self._network.speakers} speakers apart, not {speakers}; "
                    f"lower {param}, or have the worker run a pyannote pipeline (DIARIZATION_MODEL)",
                    param=param,
                )
        if not self._network.is_streaming and duration_s > LONGEST_AT_ONCE_S:
            raise InputTooLargeError(
                f"the model {self.model} takes at most {LONGEST_AT_ONCE_S:.0f} s of audio, not {duration_s:.0f} s; "
                f"send less, or have the worker run {STREAMING} or a pyannote pipeline (DIARIZATION_MODEL)",
                param="audio",
            )


def find_engine(settings: DiarizationSettings) -> Callable[[], SortformerEngine]:
    """Find the Sortformer that the settings name; returns what loads it. Both raise ConfigurationError."""
    if importlib.util.find_spec("nemo") is None:
        raise ConfigurationError(
            f"the model {PurePath(settings.model).name} needs NVIDIA NeMo: run "
            "`pip install 'nemo_toolkit[asr]==3.0.0'`, or set DIARIZATION_MODEL to a pyannote pipeline"
        )
    located = locate(settings)
    return lambda: load_with_fallback(lambda device: _load(located, device), pick_device(settings.device))


def _load(located: Located, device: str) -> SortformerEngine:
    restored = restore(located.checkpoint, device=device, variable=DIARIZATION_MODEL.name)
    network = SortformerNetwork(restored, device=device, streaming=located.tuning.streaming)
    network.probabilities(np.zeros(SAMPLE_RATE, np.float32), lambda _: None)  # warm, and known to work
    return SortformerEngine(network, model=located.name, device=device, rule=located.tuning.rule)
