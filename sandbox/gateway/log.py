"""Log lines of the Gateway: one JSON object a line on stderr (time, level, message, fields of the event)."""

import json
import logging
import sys
from datetime import UTC, datetime

_LOGGER = logging.getLogger("gateway")


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
        }
        if record.name != _LOGGER.name:
            line["logger"] = record.name
        line.update(getattr(record, "fields", {}))
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def install() -> None:
    """Send the Gateway's events, and the warnings of the libraries, to stderr as JSON lines."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonFormatter())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    _LOGGER.setLevel(logging.INFO)


def info(message: str, **fields: object) -> None:
    """Log an event that is part of the normal life of the Gateway."""
    _LOGGER.info("%s", message, extra={"fields": fields})


def warning(message: str, **fields: object) -> None:
    """Log an event after which something is worse than before."""
    _LOGGER.warning("%s", message, extra={"fields": fields})
