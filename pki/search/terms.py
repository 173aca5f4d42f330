"""Search terms: what an operator may mean by one, for columns that have an index.

Django's own search is ``LIKE '%...%'`` over every column, which reads the whole table. Here the
looks of a term decide what it may mean, and it is compared only with columns that have an index.
"""

import ipaddress
import re
from dataclasses import dataclass

from django.db import connection
from django.db.models import Q

from pki.csr.thing_names import fold_name, fold_serial
from pki.encoding.certificates import serial_number_text

MOST_CHARACTERS = 1000
"""Of a term: longer than any ARN or subject."""

_HEX = re.compile(r"[0-9a-f]+")
_DECIMAL = re.compile(r"[0-9]+")
_SAID_TO_BE_DECIMAL = re.compile(r"dec:\s*([0-9]{1,63})", re.IGNORECASE)
_COMMON_NAME = re.compile(r"(?:^|[,/+])\s*CN\s*=\s*(?P<name>[^,/+]+)", re.IGNORECASE)
_REQUEST = re.compile(
    r"\(request\s+(?P<id>[\w=+/-]{1,36})\)"
)  # as `estserver.est.renderers` writes
# arn:partition:iot:region:account:type/id
# https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsiot.html
_ARN = re.compile(
    r"arn:[\w-]+:iot:[\w-]*:\d*:(?P<type>cert|cacert|thing|policy)/(?P<id>[\w:@=+,.-]{1,128})"
)
_MAX_SERIAL = 40  # hex digits: RFC 5280 4.1.2.2 allows 20 octets
_LEAST_OF_SERIAL = 6  # hex digits of a beginning: fewer would be of many certificates
_SHA1 = 40  # hex digits
_SHA256 = 64


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
        text = self.arn_of("cert") or self.text
        text = re.sub(r"[\s:]", "", text.rpartition("=")[2]).lower()
        return text.removeprefix("0x")

    def arn_of(self, kind: str) -> str:
        """Return what follows ``kind/`` in an ARN of AWS IoT; "" if the term is none of that."""
        found = _ARN.fullmatch(self.text)
        return found["id"] if found and found["type"] == kind else ""

    @property
    def sha256(self) -> str:
        """Return the term as a SHA-256 in lower-case hex; "" if it cannot be one.

        AWS IoT's certificate ID is the SHA-256 of the certificate in DER.
        """
        text = self._compact
        return text if len(text) == _SHA256 and _HEX.fullmatch(text) else ""

    @property
    def sha1(self) -> str:
        """Return the term as a SHA-1 in lower-case hex; "" if it cannot be one."""
        text = self._compact
        return text if len(text) == _SHA1 and _HEX.fullmatch(text) else ""

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
    def serial_beginning(self) -> str:
        """Return the hex digits with which a serial number may begin; "" for too few or many."""
        text = self._compact.lstrip("0")
        is_one = _LEAST_OF_SERIAL <= len(text) <= _MAX_SERIAL and _HEX.fullmatch(text)
        return text if is_one else ""

    @property
    def device_serial(self) -> str:
        """Return the term as a device serial number in the form in which they are compared."""
        return fold_serial(self.text)

    @property
    def common_name(self) -> str:
        """Return the name that it may be or begin with: a CN, an ARN's thing, or the whole term."""
        if thing := self.arn_of("thing"):
            return thing
        found = _COMMON_NAME.search(self.text)
        return found["name"].strip() if found else self.text

    @property
    def name(self) -> str:
        """Return ``common_name`` in the form in which names are compared."""
        return fold_name(self.common_name)

    @property
    def is_common_name(self) -> bool:
        """Whether the term says itself that it is a name: ``CN=x``, or the ARN of a thing."""
        return self.common_name != self.text

    @property
    def request_id(self) -> str:
        """Return the id of a request, also out of the line that a device was answered."""
        found = _REQUEST.search(self.text)
        return found["id"] if found else self.text

    @property
    def address(self) -> str:
        """Return the term as an IP address as it is stored; "" if it is none."""
        try:
            return str(ipaddress.ip_address(self.text))
        except ValueError:
            return ""


def starts_with(column: str, prefix: str) -> Q:
    """Return the condition that ``column`` begins with ``prefix``, so that its index is used."""
    if connection.vendor == "sqlite":
        # Django's LIKE has an ESCAPE clause, with which SQLite reads the whole table.
        # https://www.sqlite.org/optoverview.html#the_like_optimization
        return Q(**{f"{column}__gte": prefix, f"{column}__lt": prefix + "\U0010ffff"})
    return Q(**{f"{column}__startswith": prefix})


def hex_starts_with(column: str, digits: str) -> Q:
    """Return the condition that ``column``, of lower-case hex, begins with ``digits``.

    A range, which every index of every database can answer: "g" comes after each of the digits in
    any collation. PostgreSQL has no pattern index on a column that is unique with another.
    """
    return Q(**{f"{column}__gte": digits, f"{column}__lt": f"{digits}g"})
