"""Importing pyannote.audio at a third of its price and without its noise."""

import warnings

from handlers.device import report_to_nobody
from handlers.lean_import import hidden

# pyannote's speaker_verification module imports these, if they are installed, only to offer their embeddings too.
OPTIONAL_PACKAGES = ("nemo", "speechbrain")


def import_pyannote() -> None:
    """Import pyannote's diarization pipeline, without its optional packages and with its telemetry off."""
    report_to_nobody()
    with hidden(*OPTIONAL_PACKAGES), warnings.catch_warnings():
        # torchcodec needs ffmpeg's shared libraries; audio comes decoded, so that nothing needs torchcodec.
        warnings.filterwarnings("ignore", message=r"\s*torchcodec is not installed correctly", category=UserWarning)
        import pyannote.audio.pipelines.speaker_diarization  # noqa: F401, PLC0415
