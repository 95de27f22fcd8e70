"""NeMo without its noise."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


def import_nemo() -> Any:  # noqa: ANN401 - NeMo has no types
    """Return NeMo's `ASRModel`, its own logging turned down to errors; takes some 20 s the first time."""
    logging.getLogger("nv_one_logger").setLevel(logging.CRITICAL)  # telemetry of trainings, not in use here
    from nemo.collections.asr.models import ASRModel  # noqa: PLC0415
    from nemo.utils import logging as nemo_logging  # noqa: PLC0415

    nemo_logging.setLevel(logging.ERROR)
    return ASRModel


@contextmanager
def quiet() -> Iterator[None]:
    """Silence Python warnings: NeMo and its dozens of dependencies warn of trainings and deprecations at every step."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
