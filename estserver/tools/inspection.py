"""Inspect what an operator has in hand: a certificate, CSR, public key, PKCS #7 or log line.

A private key is refused before anything of it is read. Nothing that is inspected is stored or
logged.
"""

from collections.abc import Mapping
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, load_der_public_key, pkcs7
from cryptography.x509.oid import NameOID

from estserver.tools.access_log import fields_of, inspect_line
from estserver.tools.decoded import certificate_groups, csr_groups, key_group
from estserver.tools.inspected import Finding, Group, Inspected
from estserver.tools.on_record import say_certificate, say_denied, say_key
from estserver.tools.rules import (
    say_certificate_rules,
    say_client,
    say_csr_rules,
    say_key_rules,
)
from pki.csr.public_keys import public_key_sha256
from pki.denylist.identifiers import CertificateIdentifiers, RequestIdentifiers
from pki.encoding.certificates import fingerprint_of, serial_number_text, signed_part_sha256
from pki.encoding.faults import fault_of_certificate, fault_of_csr
from pki.encoding.part_faults import Fault
from pki.encoding.pem import (
    CERTIFICATE,
    CERTIFICATE_REQUEST,
    pem_blocks,
    unwrapped,
)
from pki.encoding.reading import UNREADABLE, read_certificate, read_csr
from pki.encoding.shapes import Shape, der_in, holds_private_key, shape_of
from pki.operators.errors import OperatorError

MOST_BYTES: Final = 64 * 1024
"""Of a pasted text or file. A chain of RSA certificates is a tenth of it."""
MOST_PARTS: Final = 20
"""Certificates that are taken of one text."""

_PEM_LABELS: Final = (
    *CERTIFICATE,
    *CERTIFICATE_REQUEST,
    *("PUBLIC KEY", "RSA PUBLIC KEY", "PKCS7", "CMS"),
)

PRIVATE_KEY_REFUSED: Final = (
    "That is a private key. It was not read, and nothing of it was kept. Give its certificate, its "
    "CSR or its public key. If other people could see the key on the way here, make a new one."
)


def inspect(content: bytes, *, label: str = "") -> Inspected:
    """Return what ``content`` is, and what the rules and the record say of it.

    ``label`` names the profile by whose rules a CSR is checked. Raises ``OperatorError`` for a
    private key, for too much, and for what cannot be recognised. The message quotes nothing of
    ``content``.
    """
    if len(content) > MOST_BYTES:
        raise OperatorError(f"There are {len(content)} bytes. Give at most {MOST_BYTES}.")
    if holds_private_key(content):
        raise OperatorError(PRIVATE_KEY_REFUSED)
    text = unwrapped(content)
    if (fields := fields_of(text.decode("utf-8", "replace"))) is not None:
        return _inspect_line(fields, label)
    found = _structures(text)
    ders = found[:MOST_PARTS]
    parts = [_inspect_der(der, label, ders[place + 1 :]) for place, der in enumerate(ders)]
    if len(found) == 1:
        return parts[0]
    whole = Inspected(f"{len(found)} structures", parts=parts)
    if len(found) > MOST_PARTS:
        whole.findings.append(Finding("WARN", f"Only the first {MOST_PARTS} were read."))
    return whole


def _structures(text: bytes) -> list[bytes]:
    """Return the DER structures in ``text``. Raises ``OperatorError`` for a text without any."""
    if b"-----BEGIN " in text:
        try:
            found = pem_blocks(text, _PEM_LABELS)
        except ValueError as error:
            raise OperatorError(f"The PEM cannot be read. {error}") from error
        if not found:
            raise OperatorError(
                "The PEM has none of CERTIFICATE, CERTIFICATE REQUEST, PUBLIC KEY and PKCS7."
            )
    elif (der := der_in(text)) is not None:
        found = [der]
    else:
        raise OperatorError(
            "It is neither a certificate, a CSR, a public key, a PKCS #7 nor a line of API "
            "Gateway's access log. Give PEM, base64 or DER, and copy it whole."
        )
    return found


def _inspect_line(fields: Mapping[str, str], label: str) -> Inspected:
    inspected = inspect_line(fields)
    pem = fields.get("clientCertificate", "").encode()
    if b"-----BEGIN CERTIFICATE" in pem:
        inspected.parts.append(inspect(pem, label=label))
    return inspected


def _inspect_der(der: bytes, label: str, above: list[bytes]) -> Inspected:
    """Return what one structure is. ``above`` follows it, as the CAs of a chain do."""
    shape = shape_of(der)
    try:
        if shape is Shape.CERTIFICATE:
            return _certificate(der, above)
        if shape is Shape.CSR:
            return _csr(der, label)
        if shape is Shape.PUBLIC_KEY:
            return _public_key(der)
        if shape is Shape.PKCS7:
            return _pkcs7(der)
    except UNREADABLE:
        return _unreadable(der, shape)
    raise OperatorError(
        "The DER is none of certificate, CSR, public key and PKCS #7. Copy it whole."
    )


def _certificate(der: bytes, above: list[bytes]) -> Inspected:
    certificate = read_certificate(der)
    inspected = Inspected("a certificate", certificate_groups(certificate))
    key_sha256 = public_key_sha256(certificate.public_key())
    say_certificate_rules(inspected, certificate)
    say_key_rules(inspected, certificate.public_key())
    say_client(inspected, (der, *above), certificate)
    say_certificate(
        inspected,
        fingerprint_of(certificate),
        key_sha256,
        serial_number_text(certificate.serial_number),
    )
    identifiers = CertificateIdentifiers(
        common_name=_first(certificate.subject, NameOID.COMMON_NAME),
        device_serial=_first(certificate.subject, NameOID.SERIAL_NUMBER),
        key_sha256=key_sha256,
        fingerprint=fingerprint_of(certificate),
        serial_number=serial_number_text(certificate.serial_number),
        signed_sha256=signed_part_sha256(certificate),
    )
    say_denied(inspected, RequestIdentifiers("", client=identifiers))
    return inspected


def _csr(der: bytes, label: str) -> Inspected:
    csr = read_csr(der)
    inspected = Inspected("a certificate request (PKCS #10)", csr_groups(csr))
    key_sha256 = public_key_sha256(csr.public_key())
    say_csr_rules(inspected, der, label)
    say_key(inspected, key_sha256)
    say_denied(
        inspected,
        RequestIdentifiers(
            _first(csr.subject, NameOID.COMMON_NAME),
            _first(csr.subject, NameOID.SERIAL_NUMBER),
            key_sha256,
        ),
    )
    return inspected


def _public_key(der: bytes) -> Inspected:
    key = load_der_public_key(der)
    inspected = Inspected("a public key", [key_group(key)])
    say_key_rules(inspected, key)
    say_key(inspected, public_key_sha256(key))
    say_denied(inspected, RequestIdentifiers("", key_sha256=public_key_sha256(key)))
    return inspected


def _pkcs7(der: bytes) -> Inspected:
    found = [one.public_bytes(Encoding.DER) for one in pkcs7.load_der_pkcs7_certificates(der)]
    inspected = Inspected("a PKCS #7", [Group("PKCS #7", (("certificates", str(len(found))),))])
    taken = found[:MOST_PARTS]
    # A certs-only message is a SET, so the CAs above a certificate may be anywhere in it.
    inspected.parts = [_certificate(one, [each for each in taken if each != one]) for one in taken]
    return inspected


def _unreadable(der: bytes, shape: Shape) -> Inspected:
    """Return an inspection that names the part at fault, if one is found."""
    fault: Fault | None = None
    if shape is Shape.CERTIFICATE:
        fault = fault_of_certificate(der)
    elif shape is Shape.CSR:
        fault = fault_of_csr(der)
    if fault is None:
        sentence, advice = "It cannot be read.", "Have it made anew with a maintained library."
    else:
        sentence, advice = f"Its {fault.part} {fault.found}.", fault.advice
    return Inspected(
        f"a {shape.value} that cannot be read", findings=[Finding("FAIL", sentence, advice)]
    )


def _first(subject: x509.Name, oid: x509.ObjectIdentifier) -> str:
    attributes = subject.get_attributes_for_oid(oid)
    return str(attributes[0].value) if attributes else ""
