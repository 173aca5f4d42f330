"""What may stand on the denylist: values as they are compared, files they come from, last days."""

import datetime
import re
from pathlib import Path

from cryptography import x509
from django.utils import timezone

from pki.csr.public_keys import public_key_sha256
from pki.csr.thing_names import check_common_name, fold_name, shown
from pki.encoding.certificates import fingerprint_of, serial_number_text
from pki.exceptions import CSRRejected
from pki.models import DenylistEntry
from pki.operators.errors import OperatorError

Kind = DenylistEntry.Kind

_OF_CERTIFICATES = frozenset({Kind.FINGERPRINT, Kind.SERIAL_NUMBER, Kind.KEY, Kind.CLIENT})
_PEM = "-----BEGIN CERTIFICATE-----"

# The PrintableString of X.520's serialNumber, to which CSRs are held too (``pki.csr.subjects``).
_DEVICE_SERIAL = re.compile(r"[A-Za-z0-9 '()+,\-./:=?]{1,64}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
# RFC 5280 4.1.2.2: 20 octets at most; some tools write a leading zero octet. Colons only between
# octets, so that "dec:" can't be the beginning of one in hex.
_SERIAL_NUMBER = re.compile(
    r"dec:(?P<decimal>[0-9]{1,49})"
    r"|(?:0x)?(?P<hex>[0-9a-f]{1,42}|[0-9a-f]{1,2}(?::[0-9a-f]{2}){1,20})"
)


def normalize(kind: str, value: str) -> str:
    """``value`` as it is stored and compared; raises ``OperatorError`` if it can't be of ``kind``.

    Names are case-folded, on purpose: AWS tells them apart by case, but a deny covers every
    spelling. Hashes and serial numbers lose colons and case; a serial number may be decimal
    (``dec:1234``); what is read off a certificate may be given as its PEM text.
    """
    value = value.strip()
    if kind not in Kind.values:
        raise OperatorError(
            f"{shown(kind)} isn't a kind of entry; wanted: {', '.join(Kind.values)}"
        )
    if not value:
        raise OperatorError("the value is empty")
    if kind == Kind.COMMON_NAME:
        return _normalize_name(value)
    if kind == Kind.DEVICE_SERIAL:
        return _normalize_device_serial(value)
    if value.startswith(_PEM):
        return _from_certificate(kind, value)
    if kind == Kind.SERIAL_NUMBER:
        return normalize_serial_number(value)
    digest = value.replace(":", "").lower()
    if not _SHA256.fullmatch(digest):
        raise OperatorError(
            f"{shown(value)} isn't a SHA-256: wanted 64 hexadecimal digits, colons are fine"
        )
    return digest


def _normalize_name(value: str) -> str:
    """An entry that no device can match would look as if it stopped one: it is refused."""
    try:
        check_common_name(value)
    except CSRRejected as error:
        raise OperatorError(error.message) from error
    return fold_name(value)


def _normalize_device_serial(value: str) -> str:
    if not _DEVICE_SERIAL.fullmatch(value):
        raise OperatorError(
            f"{shown(value)} can't be a device's serial number: wanted 1 to 64 of letters, digits, "
            "space and '()+,-./:=?"
        )
    return value.casefold()


def normalize_serial_number(value: str) -> str:
    """A certificate's serial number as we store it: lower-case hex without leading zeros.

    Takes hex with or without colons and ``0x``, and decimal as ``dec:1234``. Raises
    ``OperatorError`` for anything else.
    """
    found = _SERIAL_NUMBER.fullmatch(value.strip().lower())
    if found is None:
        raise OperatorError(
            f"{shown(value)} isn't a serial number: wanted hex digits, or dec: and decimal digits"
        )
    number = int(found["decimal"]) if found["decimal"] else int(found["hex"].replace(":", ""), 16)
    if number == 0:
        raise OperatorError(f"{shown(value)} isn't a serial number: wanted one above zero")
    return serial_number_text(number)


def _from_certificate(kind: str, pem: str) -> str:
    try:
        certificate = x509.load_pem_x509_certificate(pem.encode())
    except ValueError as error:
        raise OperatorError("the PEM text isn't a certificate that can be read") from error
    if kind == Kind.SERIAL_NUMBER:
        return serial_number_text(certificate.serial_number)
    if kind == Kind.KEY:
        return public_key_sha256(certificate.public_key())
    return fingerprint_of(certificate)


def value_or_certificate(kind: str, text: str) -> str:
    """``text``, or what is in the file of that name: a PEM certificate stands for its value.

    For the commands only: what comes over a network never names a file. Raises ``OperatorError``
    for a path to nothing, or to something else.
    """
    if kind not in _OF_CERTIFICATES:
        return text
    path = Path(text)
    looks_like_a_path = "/" in text or path.suffix != ""
    if not looks_like_a_path and not path.is_file():
        return text
    try:
        content = path.read_text(encoding="ascii")
    except OSError as error:
        raise OperatorError(f"can't read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise OperatorError(f"{path} isn't PEM text: wanted {_PEM}") from error
    start = content.find(_PEM)
    if start < 0:
        raise OperatorError(f"{path} holds no certificate: wanted {_PEM}")
    return content[start:]


def expiry_after(last_day: str) -> datetime.datetime:
    """When an entry ends whose last day is ``last_day`` (YYYY-MM-DD): as that day does, in UTC.

    Raises ``OperatorError`` for anything else, or a day that is over.
    """
    try:
        day = datetime.datetime.strptime(last_day.strip(), "%Y-%m-%d").replace(tzinfo=datetime.UTC)
        end = day + datetime.timedelta(days=1)
    except (ValueError, OverflowError) as error:
        raise OperatorError(
            f"{shown(last_day)} isn't a day: wanted YYYY-MM-DD, the last day of the entry (UTC)"
        ) from error
    if end <= timezone.now():
        raise OperatorError(f"{last_day} is over: an entry that ended stops nobody")
    return end
