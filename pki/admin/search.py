"""What an operator pastes into a search box, and the indexed columns that answer it.

Django's own search is ``LIKE '%...%'`` over every column: a walk over the whole table. Here a term
is taken for what it looks like, and only compared with columns that have an index.
"""

import re
from dataclasses import dataclass

from django.db import connection
from django.db.models import Q

from pki.csr.thing_names import fold_name
from pki.encoding.certificates import serial_number_text

_HEX = re.compile(r"[0-9a-f]+")
_DECIMAL = re.compile(r"[0-9]+")
_MAX_SERIAL = 40  # hex digits: RFC 5280 4.1.2.2 allows 20 octets
_SHA256 = 64  # hex digits


@dataclass(frozen=True, slots=True)
class Term:
    """A search term, without the spaces around it."""

    text: str

    @classmethod
    def parse(cls, typed: str) -> "Term":
        """Take what was typed."""
        return cls(typed.strip())

    @property
    def _compact(self) -> str:
        """In lower case, without colons, spaces, ``0x`` and what openssl writes before a ``=``."""
        text = re.sub(r"[\s:]", "", self.text.rpartition("=")[2]).lower()
        return text.removeprefix("0x")

    @property
    def sha256(self) -> str:
        """The term as a SHA-256 in lower-case hex; empty when it can't be one."""
        text = self._compact
        return text if len(text) == _SHA256 and _HEX.fullmatch(text) else ""

    @property
    def serial_numbers(self) -> list[str]:
        """The serial numbers it may mean, as we store them: digits alone may be hex or decimal."""
        text = self._compact.removeprefix("dec")
        numbers = []
        if _HEX.fullmatch(text) and len(text.lstrip("0")) <= _MAX_SERIAL:
            numbers.append(int(text, 16))
        if _DECIMAL.fullmatch(text) and len(text) < _SHA256:
            numbers.append(int(text))
        return [serial_number_text(number) for number in dict.fromkeys(numbers)]

    @property
    def name(self) -> str:
        """The term as a thing name, as names are compared."""
        return fold_name(self.text)


def starts_with(column: str, prefix: str) -> Q:
    """Rows whose ``column`` begins with ``prefix``, said so that the column's index is used."""
    if connection.vendor == "sqlite":
        # Django's LIKE carries an ESCAPE clause, and SQLite then walks the table.
        return Q(**{f"{column}__gte": prefix, f"{column}__lt": prefix + "\U0010ffff"})
    return Q(**{f"{column}__startswith": prefix})
