"""Certificates as lines of a CSV file, or as PEM."""

import csv
import datetime
from collections.abc import Callable, Iterator
from typing import Any

from django.db.models import QuerySet

from pki.models import IssuedCertificate
from pki.operators.csv_text import Lines, csv_cell

_COLUMNS = (
    "common_name",
    "serial_number",
    "fingerprint_sha256",
    "state",
    "not_before",
    "not_after",
    "ca__name",
    "profile__name",
    "operation",
    "subject",
    "san",
    "device_serial",
    "key_algorithm",
    "client_fingerprint",
    "request_id",
    "revoked_at",
    "revocation_reason",
)


def csv_header() -> str:
    """Return the first line of a CSV file."""
    line: str = csv.writer(Lines()).writerow(_COLUMNS)
    return line


def csv_rows(rows: QuerySet[IssuedCertificate]) -> Iterator[str]:
    """Yield a line for each certificate. No cell begins as a formula does."""
    writer: Any = csv.writer(Lines())
    for values in rows.values_list(*_COLUMNS).iterator():
        yield writer.writerow([csv_cell(_text(value)) for value in values])


def pem_rows(rows: QuerySet[IssuedCertificate]) -> Iterator[str]:
    """Yield each certificate in PEM form that was signed."""
    for row in rows.exclude(der=None).only("der").iterator():
        yield row.pem


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime.datetime):
        return value.astimezone(datetime.UTC).isoformat()
    return str(value)


ROWS: dict[str, Callable[[QuerySet[IssuedCertificate]], Iterator[str]]] = {
    "csv": csv_rows,
    "pem": pem_rows,
}
"""By the name of the format, which also ends the file's name."""
