"""The stretch of decoded audio that both readers yield."""

from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

Samples: TypeAlias = NDArray[np.float32]

BLOCK_FRAMES = 65_536


class Block(NamedTuple):
    """Decoded samples, shape (frames, channels), full scale ±1, at `sample_rate_hz`."""

    samples: Samples
    sample_rate_hz: int
