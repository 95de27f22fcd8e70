"""The server's log in a file that is begun anew when it is big."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path

from common.errors import ConfigurationError
from common.logs import JsonFormatter, TextFormatter

FILE_BYTES = 10 * 1024 * 1024
FILES = 5


class _PrivateFile(RotatingFileHandler):
    """Makes every new file readable for this user alone."""

    def _open(self) -> TextIOWrapper:
        descriptor = os.open(self.baseFilename, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        return TextIOWrapper(os.fdopen(descriptor, "ab"), encoding=self.encoding)


@contextmanager
def log_file(path: Path, *, log_format: str) -> Iterator[None]:
    """Write all log lines of this process to `path`, too, which only this user can read.

    Raises ConfigurationError when it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handler = _PrivateFile(path, maxBytes=FILE_BYTES, backupCount=FILES, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"LOG_FILE cannot be written: {error.strerror}", param="LOG_FILE") from None
    handler.setFormatter(JsonFormatter() if log_format == "json" else TextFormatter())
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)
        handler.close()
