"""Logs as one JSON object a line, so that nothing a client sends can forge or split a line."""

import json
import logging
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
