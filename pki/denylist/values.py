"""Normalize what an operator writes about a denylist entry: its value, and its last day.

A value is stored in the form in which it is compared, so that a comparison is an equality on an
index. ``pki.denylist.kinds`` says which form each kind has.
"""

import datetime
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography import x509
from django.utils import timezone

from pki.csr.thing_names import (
    check_common_name,
    fold_name,
    fold_serial,
    normal_serial,
    shown,
)
from pki.encoding import reading
from pki.encoding.certificates import serial_number_text
from pki.exceptions import CSRRejected
from pki.operators.errors import OperatorError

PEM_CERTIFICATE: Final = "-----BEGIN CERTIFICATE-----"

# X.520's serialNumber is a PrintableString. CSRs follow the same rule (``pki.csr.subjects``).
_DEVICE_SERIAL: Final = re.compile(r"[A-Za-z0-9 '()+,\-./:=?]{1,64}")
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
# RFC 5280 4.1.2.2: 20 octets at most; some tools write a leading zero octet. Colons stand only
# between octets, so that "dec:" cannot be the beginning of a number in hex.
_SERIAL_NUMBER: Final = re.compile(
    r"dec:(?P<decimal>[0-9]{1,49})"
    r"|(?:0x)?(?P<hex>[0-9a-f]{1,42}|[0-9a-f]{1,2}(?::[0-9a-f]{2}){1,20})"
)


@dataclass(frozen=True, slots=True)
class ValueForm:
    """A form that values of several kinds share.

    ``normalize`` returns a value as it is stored, and raises ``OperatorError`` for a text that is
    not of the form.
    """

    normalize: Callable[[str], str]


def _normalize_thing_name(value: str) -> str:
    """Fold the case of a name: AWS IoT tells names apart by case, but a deny covers them all.

    An entry that no device can match would look as if it stopped one, so it is refused.
    """
    try:
        check_common_name(value)
    except CSRRejected as error:
        raise OperatorError(error.message) from error
    return fold_name(value)


def _normalize_device_serial(value: str) -> str:
    value = normal_serial(value)
    if not _DEVICE_SERIAL.fullmatch(value):
        raise OperatorError(
            f"{shown(value)} cannot be the serial number of a device. Use 1 to 64 letters, "
            "digits, spaces and '()+,-./:=?."
        )
    return fold_serial(value)


def normalize_serial_number(value: str) -> str:
    """Return a certificate's serial number as it is stored: lower-case hex, no leading zeros.

    Takes hex with or without colons and ``0x``, and decimal as ``dec:1234``. Raises
    ``OperatorError`` for anything else.
    """
    found = _SERIAL_NUMBER.fullmatch(value.strip().lower())
    if found is None:
        raise OperatorError(
            f"{shown(value)} is not a serial number. Use hexadecimal digits, or dec: and decimal "
            "digits."
        )
    number = int(found["decimal"]) if found["decimal"] else int(found["hex"].replace(":", ""), 16)
    if number == 0:
        raise OperatorError(
            f"{shown(value)} is not a serial number. A serial number is greater than zero."
        )
    return serial_number_text(number)


def _normalize_sha256(value: str) -> str:
    digest = value.replace(":", "").lower()
    if not _SHA256.fullmatch(digest):
        raise OperatorError(
            f"{shown(value)} is not a SHA-256. Use 64 hexadecimal digits, with or without colons."
        )
    return digest


THING_NAME: Final = ValueForm(_normalize_thing_name)
DEVICE_SERIAL: Final = ValueForm(_normalize_device_serial)
SERIAL_NUMBER: Final = ValueForm(normalize_serial_number)
SHA256: Final = ValueForm(_normalize_sha256)


def read_certificate(pem: str) -> x509.Certificate:
    """Parse a certificate in PEM form. Raises ``OperatorError`` if it cannot be parsed."""
    try:
        return reading.read_certificate_pem(pem.encode())
    except reading.UNREADABLE as error:
        raise OperatorError("The PEM text is not a certificate that can be parsed.") from error


def pem_in_file(text: str) -> str:
    """Return the PEM certificate in the file that ``text`` names, or ``text`` if it is no path.

    Only commands call this: what comes over a network never names a file. Raises
    ``OperatorError`` for a path to nothing, or to a file without a certificate.
    """
    if text.strip().startswith(PEM_CERTIFICATE):
        return text.strip()
    path = Path(text)
    looks_like_a_path = "/" in text or path.suffix != ""
    if not looks_like_a_path and not path.is_file():
        return text
    try:
        content = path.read_text(encoding="ascii")
    except OSError as error:
        raise OperatorError(f"{path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise OperatorError(
            f"{path} is not PEM text. Give a file that holds {PEM_CERTIFICATE}."
        ) from error
    start = content.find(PEM_CERTIFICATE)
    if start < 0:
        raise OperatorError(
            f"{path} holds no certificate. Give a file that holds {PEM_CERTIFICATE}."
        )
    return content[start:]


def expiry_after(last_day: str) -> datetime.datetime:
    """Return the end (UTC) of ``last_day`` (YYYY-MM-DD), at which an entry expires.

    Raises ``OperatorError`` for a text that is no day, or a day in the past.
    """
    try:
        day = datetime.datetime.strptime(last_day.strip(), "%Y-%m-%d").replace(tzinfo=datetime.UTC)
        end = day + datetime.timedelta(days=1)
    except (ValueError, OverflowError) as error:
        raise OperatorError(
            f"{shown(last_day)} is not a day. Use YYYY-MM-DD, the last day of the entry (UTC)."
        ) from error
    if end <= timezone.now():
        raise OperatorError(
            f"The day {last_day} is in the past. An entry that has expired stops no enrollment."
        )
    return end
