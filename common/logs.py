"""Log lines: an event name plus fields, never transcript text, audio URLs or tokens."""

import logging


def set_up_logs(level: int = logging.INFO) -> None:
    """Send the log of this process to stderr, one line an event."""
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(name)s %(message)s")


def log_event(logger: logging.Logger, event: str, /, **fields: object) -> None:
    """Log `event` at INFO with its fields as `key=value`."""
    logger.info("%s %s", event, " ".join(f"{key}={value}" for key, value in fields.items()))
