"""Search terms: what an operator may mean by one, for columns that have an index.

Django's own search is ``LIKE '%...%'`` over every column, which reads the whole table. Here the
looks of a term decide what it may mean, and it is compared only with columns that have an index.
"""

import re
from dataclasses import dataclass

from django.db import connection
from django.db.models import Q

from pki.csr.thing_names import fold_name, fold_serial
from pki.encoding.certificates import serial_number_text

_HEX = re.compile(r"[0-9a-f]+")
_DECIMAL = re.compile(r"[0-9]+")
_SAID_TO_BE_DECIMAL = re.compile(r"dec:\s*([0-9]{1,63})", re.IGNORECASE)
_MAX_SERIAL = 40  # hex digits: RFC 5280 4.1.2.2 allows 20 octets
_SHA256 = 64  # hex digits


@dataclass(frozen=True, slots=True)
class Term:
    """A search term, without the spaces around it."""

    text: str

    @classmethod
    def parse(cls, typed: str) -> "Term":
        """Return the term that an operator typed."""
        return cls(typed.strip())

    @property
    def _compact(self) -> str:
        """Return it in lower case, without colons, spaces, ``0x`` and what precedes a ``=``."""
        text = re.sub(r"[\s:]", "", self.text.rpartition("=")[2]).lower()
        return text.removeprefix("0x")

    @property
    def sha256(self) -> str:
        """Return the term as a SHA-256 in lower-case hex; "" if it cannot be one."""
        text = self._compact
        return text if len(text) == _SHA256 and _HEX.fullmatch(text) else ""

    @property
    def serial_numbers(self) -> list[str]:
        """Return the serial numbers that it may mean. Digits alone may be hex or decimal."""
        if found := _SAID_TO_BE_DECIMAL.fullmatch(self.text):
            return [serial_number_text(int(found[1]))]
        text = self._compact
        numbers = []
        if _HEX.fullmatch(text) and len(text.lstrip("0")) <= _MAX_SERIAL:
            numbers.append(int(text, 16))
        if _DECIMAL.fullmatch(text) and len(text) < _SHA256:
            numbers.append(int(text))
        return [serial_number_text(number) for number in dict.fromkeys(numbers)]

    @property
    def device_serial(self) -> str:
        """Return the term as a device serial number in the form in which they are compared."""
        return fold_serial(self.text)

    @property
    def name(self) -> str:
        """Return the term as a thing name in the form in which names are compared."""
        return fold_name(self.text)


def starts_with(column: str, prefix: str) -> Q:
    """Return the condition that ``column`` begins with ``prefix``, so that its index is used."""
    if connection.vendor == "sqlite":
        # Django's LIKE has an ESCAPE clause, with which SQLite reads the whole table.
        # https://www.sqlite.org/optoverview.html#the_like_optimization
        return Q(**{f"{column}__gte": prefix, f"{column}__lt": prefix + "\U0010ffff"})
    return Q(**{f"{column}__startswith": prefix})
