"""Files that a page offers: one as a download, and a list as an export."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from cryptography import x509
from django.db.models import QuerySet
from django.http import HttpResponse, StreamingHttpResponse
from django.utils import timezone

from pki.encoding.certificates import pem_of
from pki.operators.csv_text import Lines as Lines
from pki.operators.csv_text import csv_cell as csv_cell


@dataclass(frozen=True, slots=True)
class Download:
    """A file with its name, media type and bytes."""

    name: str
    media_type: str
    contents: bytes

    def as_response(self) -> HttpResponse:
        """Return an attachment, which no browser renders."""
        return HttpResponse(
            self.contents, content_type=self.media_type, headers=attachment(self.name)
        )


def attachment(name: str) -> dict[str, str]:
    """Return the header that makes a reply a file of this name (RFC 6266)."""
    return {"Content-Disposition": f'attachment; filename="{name}"'}


def file_name(*parts: str, suffix: str) -> str:
    """Return a name that every file system takes. Thing names may contain colons."""
    stem = "_".join(re.sub(r"[^A-Za-z0-9.-]+", "-", part)[:64] for part in parts)
    return f"{stem}.{suffix}"


def pem_text(certificates: Iterable[x509.Certificate]) -> bytes:
    """Return certificates in PEM form, one after the other."""
    return pem_of(*certificates).encode()


@dataclass(frozen=True, slots=True)
class Export:
    """A file of all rows that a list shows, made line by line."""

    label: str
    stem: str
    suffix: str
    media_type: str
    lines: Callable[[QuerySet[Any]], Iterator[str]]

    def as_response(self, rows: QuerySet[Any]) -> StreamingHttpResponse:
        """Return an attachment with the time in its name."""
        name = f"{self.stem}-{timezone.now():%Y%m%dT%H%M%SZ}.{self.suffix}"
        return StreamingHttpResponse(
            (line.encode() for line in self.lines(rows)),
            content_type=f"{self.media_type}; charset=utf-8",
            headers=attachment(name),
        )
