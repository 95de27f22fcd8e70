"""Importing pyannote.audio at a third of its price and without its noise."""

import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

# pyannote's speaker_verification module imports these, if they are installed, only to offer their embeddings too.
OPTIONAL_PACKAGES = ("nemo", "speechbrain")
# Both would tell others what is diarized here and with which packages. Set, not defaulted: pyannote itself sets its own
# to "true" when it is imported without, and looks it up again at every use.
NO_TELEMETRY = {"PYANNOTE_METRICS_ENABLED": "0", "HF_HUB_DISABLE_TELEMETRY": "1"}


@contextmanager
def hidden(*packages: str) -> Iterator[None]:
    """Make imports of `packages` fail inside the block; those already imported stay as they are."""
    blocked = [name for name in packages if name not in sys.modules]
    sys.modules.update(dict.fromkeys(blocked))  # type: ignore[arg-type]  # None is Python's mark for "do not import"
    try:
        yield
    finally:
        for name in blocked:
            sys.modules.pop(name, None)


def import_pyannote() -> None:
    """Import pyannote's diarization pipeline, without its optional packages and with its telemetry off."""
    os.environ.update(NO_TELEMETRY)
    with hidden(*OPTIONAL_PACKAGES), warnings.catch_warnings():
        # torchcodec needs ffmpeg's shared libraries; audio comes decoded, so that nothing needs torchcodec.
        warnings.filterwarnings("ignore", message=r"\s*torchcodec is not installed correctly", category=UserWarning)
        import pyannote.audio.pipelines.speaker_diarization  # noqa: F401, PLC0415
