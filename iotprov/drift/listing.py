"""The certificates that AWS IoT lists for the CAs on record, stored on disk for the comparison.

AWS lists them in no order that the database could be read in too, so the two cannot be read side by
side. The IDs of a whole fleet would not fit into the memory of a Lambda function.
"""

import datetime
import sqlite3
from collections.abc import Collection, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.utils import timezone

from iotprov.client import calling, is_code
from iotprov.drift.paced import PacedRegistry
from iotprov.provisioning.iot_certificates import NOT_FOUND, Registry
from pki.operators.errors import RemoteFailure

PAGE = 250
"""The largest page that AWS gives."""

CHUNK = 500
"""How many certificates are compared at a time. Bounds the values of an IN and the memory."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A certificate in AWS's list."""

    certificate_id: str
    arn: str
    status: str
    ca_certificate_id: str
    """The ID of the CA that it was listed under."""
    listed_at: datetime.datetime
    """When AWS was asked. Later changes are not in the list."""


class Listing:
    """A table of what AWS listed. ``new_listing`` makes one."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        connection.execute(
            "CREATE TABLE listed (id TEXT PRIMARY KEY, arn TEXT, status TEXT, ca TEXT, at TEXT)"
            " WITHOUT ROWID"
        )

    def add(self, page: Iterable[Listed]) -> None:
        """Add a page. A certificate that is in two pages counts once."""
        rows = [
            (one.certificate_id, one.arn, one.status, one.ca_certificate_id, one.listed_at)
            for one in page
        ]
        self._connection.executemany(
            "INSERT OR REPLACE INTO listed VALUES (?, ?, ?, ?, ?)",
            [(*row[:-1], row[-1].isoformat()) for row in rows],
        )

    def chunks(self, *, status: str = "") -> Iterator[list[Listed]]:
        """Yield everything, or what has ``status``, by ID, ``CHUNK`` at a time."""
        last = ""
        while True:
            rows = self._connection.execute(
                "SELECT id, arn, status, ca, at FROM listed"
                " WHERE id > ? AND ? IN ('', status) ORDER BY id LIMIT ?",
                (last, status, CHUNK),
            ).fetchall()
            if not rows:
                return
            yield [_listed(row) for row in rows]
            last = rows[-1][0]

    def missing(self, certificate_ids: Collection[str]) -> set[str]:
        """Return those of ``certificate_ids``, at most ``CHUNK``, that AWS did not list."""
        places = ", ".join("?" * len(certificate_ids))
        found = self._connection.execute(
            f"SELECT id FROM listed WHERE id IN ({places})",  # noqa: S608  # only question marks
            tuple(certificate_ids),
        )
        return set(certificate_ids) - {row[0] for row in found}


@contextmanager
def new_listing() -> Iterator[Listing]:
    """Give an empty listing. SQLite moves it to a file as it grows, and deletes the file."""
    with closing(sqlite3.connect("", isolation_level=None)) as connection:
        yield Listing(connection)


def listed_pages(paced: PacedRegistry, ca_certificate_id: str) -> Iterator[list[Listed]]:
    """Yield AWS's list of the certificates of a CA, page by page. Raises ``RemoteFailure``.

    AWS lists those that were registered under the CA. A CA that AWS does not know has none.
    https://docs.aws.amazon.com/iot/latest/apireference/API_ListCertificatesByCA.html
    """
    marker = ""
    while True:
        at = timezone.now()
        try:
            answer = paced.ask(partial(_page, ca_certificate_id, marker))
        except RemoteFailure as failure:
            if is_code(failure, NOT_FOUND):
                return
            raise
        yield [
            Listed(
                one["certificateId"], one["certificateArn"], one["status"], ca_certificate_id, at
            )
            for one in answer.get("certificates", [])
        ]
        marker = answer.get("nextMarker", "")
        if not marker:
            return


def _page(ca_certificate_id: str, marker: str, registry: Registry) -> dict[str, Any]:
    operation = "ListCertificatesByCA"
    registry.before_call(operation)
    with calling(registry.target, "iot", operation, read_timeout=registry.read_timeout) as iot:
        answer: dict[str, Any] = iot.list_certificates_by_ca(
            caCertificateId=ca_certificate_id,
            pageSize=PAGE,
            **({"marker": marker} if marker else {}),
        )
    return answer


def _listed(row: tuple[str, str, str, str, str]) -> Listed:
    return Listed(*row[:-1], datetime.datetime.fromisoformat(row[-1]))
