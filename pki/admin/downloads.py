"""Files that the admin hands out."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from cryptography import x509
from django.db.models import QuerySet
from django.http import HttpResponse, StreamingHttpResponse
from django.utils import timezone

from pki.encoding.certificates import pem_of

_FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class Download:
    """A file: its name, its media type, its bytes."""

    name: str
    media_type: str
    contents: bytes

    def as_response(self) -> HttpResponse:
        """As an attachment, which no browser renders."""
        return HttpResponse(
            self.contents, content_type=self.media_type, headers=attachment(self.name)
        )


def attachment(name: str) -> dict[str, str]:
    """The header that makes a reply a file of this name."""
    return {"Content-Disposition": f'attachment; filename="{name}"'}


def file_name(*parts: str, suffix: str) -> str:
    """A name that every file system takes: thing names may hold colons."""
    stem = "_".join(re.sub(r"[^A-Za-z0-9.-]+", "-", part)[:64] for part in parts)
    return f"{stem}.{suffix}"


def pem_text(certificates: Iterable[x509.Certificate]) -> bytes:
    """Certificates in PEM form, one after the other."""
    return pem_of(*certificates).encode()


def csv_cell(text: str) -> str:
    """``text`` so that no spreadsheet takes it for a formula.

    A common name may be chosen to be one: ``=cmd|...`` runs when the export is opened.
    """
    return f"'{text}" if text.startswith(_FORMULA_SIGNS) else text


class Lines:
    """A file for ``csv.writer`` that hands each line on at once, so that exports can stream."""

    def write(self, line: str) -> str:
        """Return the line; the writer returns it in turn."""
        return line


@dataclass(frozen=True, slots=True)
class Export:
    """A file of all the rows that a list shows, made line by line."""

    label: str
    stem: str
    suffix: str
    media_type: str
    lines: Callable[[QuerySet[Any]], Iterator[str]]

    def as_response(self, rows: QuerySet[Any]) -> StreamingHttpResponse:
        """As an attachment, named after the time."""
        name = f"{self.stem}-{timezone.now():%Y%m%dT%H%M%SZ}.{self.suffix}"
        return StreamingHttpResponse(
            (line.encode() for line in self.lines(rows)),
            content_type=f"{self.media_type}; charset=utf-8",
            headers=attachment(name),
        )
