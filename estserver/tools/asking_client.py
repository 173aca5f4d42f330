"""The client of a dry run: a certificate, one on record, or a client that is only named."""

import datetime
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID
from django.db.models import F
from django.db.models.lookups import In
from django.utils import timezone

from pki.csr.public_keys import public_key_sha256
from pki.csr.subjects import name_text
from pki.csr.thing_names import fold_name, shown
from pki.encoding.certificates import fingerprint_of, signed_part_sha256
from pki.encoding.pem import CERTIFICATE, pem_blocks
from pki.exceptions import ClientRefused
from pki.issuance.client_authentication import Client, authenticate_certificate, name_sha256
from pki.models import IssuedCertificate
from pki.models.fields import NoIndex
from pki.operators.errors import OperatorError
from pki.reasons import Reason
from pki.record.find import find_authority
from pki.record.snapshot import CASnapshot
from pki.revocation.revoke import find_certificate

ONE_DAY = datetime.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class AskingClient:
    """Who sends the request of a dry run. One of the three is given.

    ``name`` without ``authority`` is the thing name, serial number or fingerprint of a certificate
    on record. With ``authority``, the name of a client CA, it is a common name, and the client's
    certificate need not exist yet.
    """

    content: bytes = b""
    """A client certificate in PEM, with its chain, or in DER."""
    name: str = ""
    authority: str = ""

    @property
    def is_only_named(self) -> bool:
        """Whether no certificate is known, so that rules about one were asked of another."""
        return bool(self.authority)

    def authenticate(self, snapshot: CASnapshot) -> Client:
        """Return the client as the server would authenticate it.

        Raises ``ClientRefused`` as the server does, and ``OperatorError`` for a client that cannot
        be found.
        """
        if self.content:
            chain = _chain(self.content)
            return authenticate_certificate(chain[0], chain, snapshot=snapshot)
        if not self.name:
            raise OperatorError(
                "No client is given. Give its certificate, the name of a certificate on record, or "
                "a common name with its client CA."
            )
        if self.authority:
            return _named(self.name, self.authority, snapshot)
        return authenticate_certificate(_on_record(self.name), snapshot=snapshot)


def _chain(content: bytes) -> tuple[bytes, ...]:
    if b"-----BEGIN" not in content:
        return (content,)
    try:
        found = pem_blocks(content, CERTIFICATE)
    except ValueError as error:
        raise OperatorError(f"The client certificate cannot be read. {error}") from error
    if not found:
        raise OperatorError("The client is PEM without a certificate. Give BEGIN CERTIFICATE.")
    return tuple(found)


def _on_record(name: str) -> bytes:
    """Return the certificate on record with that thing name, serial number or fingerprint."""
    # As an operator reads it: an expired certificate is found as well, and refused as a client.
    issued = In(NoIndex(F("state")), [IssuedCertificate.State.ISSUED])
    current = IssuedCertificate.objects.filter(issued, name_folded=fold_name(name))
    try:
        row = current.order_by("-id").first() or find_certificate(name)
    except OperatorError as error:
        raise OperatorError(
            f"{shown(name)} is no thing name with a certificate, and no certificate's serial "
            "number or SHA-256. For a client whose certificate need not exist, name its CA as well "
            f"(--client-ca). {error}"
        ) from error
    if row.der is None:
        raise OperatorError(f"The certificate {shown(name)} was never signed. Choose another.")
    return bytes(row.der)


def _named(common_name: str, authority: str, snapshot: CASnapshot) -> Client:
    """Return a client of a client CA that has this common name, with a certificate of no use."""
    ca = find_authority(authority)
    if ca.pk not in {trusted.row.pk for trusted in snapshot.authorities}:
        is_distrusted = ca.pk in {distrusted.pk for distrusted in snapshot.distrusted}
        raise ClientRefused(
            Reason.CA_DISTRUSTED if is_distrusted else Reason.CLIENT_CERTIFICATE_UNTRUSTED
        )
    if ca.purpose != ca.Purpose.CLIENT:
        raise OperatorError(
            f"The CA {ca.name} signs devices. Name a client CA, or give the device's certificate."
        )
    try:
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    except ValueError as error:
        raise OperatorError(
            f"{shown(common_name)} cannot be a common name. Use 1 to 64 characters."
        ) from error
    certificate = _certificate_of_no_use(subject)
    return Client(
        certificate=certificate,
        fingerprint=fingerprint_of(certificate),
        subject=name_text(subject),
        common_name=common_name,
        device_serial="",
        key_sha256=public_key_sha256(certificate.public_key()),
        signed_sha256=signed_part_sha256(certificate),
        other_fingerprint="",
        name_sha256=name_sha256(ca.certificate, common_name),
        authority=ca,
        record=None,
    )


def _certificate_of_no_use(subject: x509.Name) -> x509.Certificate:
    """Return a self-signed certificate that leads to no CA. It is dropped with its key."""
    key, now = ec.generate_private_key(ec.SECP256R1()), timezone.now()
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + ONE_DAY)
        .sign(key, SHA256())
    )
