"""Many channels to one, so that speech in any of them survives at full level.

The mix is the plain mean, as torchaudio and pyannote.audio take it: meeting microphones have no "front" or
"surround" for the weights of ITU-R BS.775 to mean anything. Two faults of the plain mean are mended over the whole
file, not per block, so that no level ever jumps: channels that carry nothing do not count in the divisor, and where
channels cancel each other (one wired with reversed polarity) the loudest one is taken alone.
"""

import numpy as np
from numpy.typing import NDArray

from common.audio.blocks import Samples

# A channel 60 dB below the loudest carries nothing; a sum 20 dB below what its parts add up to has cancelled.
SILENT_POWER_RATIO = 1e-6
CANCELLED_POWER_RATIO = 1e-2


class Downmix:
    """Mixes blocks to mono and learns, over the file, the `gain` to apply at the end."""

    def __init__(self, *, max_channels: int, only_channel: int | None = None) -> None:
        self._only_channel = only_channel
        self._energies: NDArray[np.float64] = np.zeros(max_channels)
        self._sum_energy = 0.0
        self._channels = 1

    def mix(self, samples: Samples) -> Samples:
        """Return the mean of the channels, or the one channel asked for; (frames, channels) to (frames,)."""
        channels = samples.shape[1]
        if channels == 1:
            return samples[:, 0]
        if self._only_channel is not None:
            return samples[:, min(self._only_channel, channels - 1)]
        self._channels = max(self._channels, channels)
        mono: Samples = samples.mean(axis=1, dtype=np.float32)
        self._energies[:channels] += np.square(samples, dtype=np.float64).sum(axis=0)
        self._sum_energy += float(np.square(mono, dtype=np.float64).sum()) * channels**2
        return mono

    @property
    def gain(self) -> float:
        """The factor that turns the mean over all channels into the mean over those that carry sound."""
        carrying = int((self._energies > SILENT_POWER_RATIO * self._energies.max()).sum())
        return self._channels / carrying if carrying else 1.0

    @property
    def cancelled(self) -> bool:
        """Whether the channels extinguished each other in the mean."""
        return self._sum_energy < CANCELLED_POWER_RATIO * float(self._energies.sum())

    @property
    def loudest_channel(self) -> int:
        """Index of the channel with the most energy."""
        return int(self._energies.argmax())
