"""Logs with one JSON object a line, which nothing that a client sends can forge or split."""

import json
import logging
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

requests = logging.getLogger("estserver.request")


class JSONFormatter(logging.Formatter):
    """Format time, level, logger and message, and the fields of ``extra={"fields": {...}}``."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as a line of JSON in ASCII."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= getattr(record, "fields", {})
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return _json.encode(line)


_json = json.JSONEncoder(default=str)


def configure(chosen: Mapping[str, Any]) -> None:
    """Set up the one handler and the levels of ``settings.LOGGING``.

    This is for the device side, which has ``LOGGING_CONFIG = None``. Django would first set up its
    own handlers. One of them mails errors, and for that Django loads half of its pages' code.
    """
    # No line says from where it was logged, and each record would look that up
    # (https://docs.python.org/3/howto/logging.html#optimization). Process and thread stay, because
    # the formats of others have them: gunicorn's begins with "[%(process)d]".
    logging._srcfile = None
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JSONFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]  # with Lambda's own handler each line would be written twice
    root.setLevel(chosen["root"]["level"])
    for name, logger in chosen["loggers"].items():
        logging.getLogger(name).setLevel(logger["level"])


def write_request_line(
    *,
    request_id: str,
    method: str | None,
    path: str,
    status: int,
    seconds: float,
    source_ip: str | None,
    **more: Any,
) -> None:
    """Write the one line that each request of either side has when it has been answered.

    Fields that are None are left out. ``path`` comes without its query, and nothing of a header or
    a body is among the fields, because these may be secret.
    """
    fields: dict[str, Any] = {
        "request_id": request_id,
        "method": method,
        "path": path,
        "status": status,
        "milliseconds": round(seconds * 1000, 1),
        "source_ip": source_ip,
        **more,
    }
    requests.info("request", extra={"fields": {k: v for k, v in fields.items() if v is not None}})
