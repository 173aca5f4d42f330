"""Logs as one JSON object a line, so that nothing a client sends can forge or split a line."""

import json
import logging
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any


class JSONFormatter(logging.Formatter):
    """Time, level, logger and message, with what was passed as ``extra={"fields": {...}}``."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as a line of JSON, ASCII only."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= getattr(record, "fields", {})
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def configure(chosen: Mapping[str, Any]) -> None:
    """Do what ``settings.LOGGING`` says, as far as ours goes: one handler, and levels.

    For the device side, which has ``LOGGING_CONFIG = None``: Django would first set up handlers
    of its own, among them one that mails errors, and for that load half of its pages' code.
    """
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JSONFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]  # Lambda's own handler would write each line once more
    root.setLevel(chosen["root"]["level"])
    for name, logger in chosen["loggers"].items():
        logging.getLogger(name).setLevel(logger["level"])
