"""Certificate revocation lists, one for each CA whose key is here (RFC 5280 5)."""

import datetime

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from django.db.models import Max
from django.utils import timezone

from pki.exceptions import OperatorError, SignerUnavailable
from pki.models import CertificateAuthority, IssuedCertificate
from pki.prepared import authority_key_identifier
from pki.profiles import signature_hash
from pki.signers import KeySigner, get_signer
from pki.transactions import in_write_transaction

LIFETIME = datetime.timedelta(days=7)
"""Between thisUpdate and nextUpdate: a checker may use one that long."""

FRESH = datetime.timedelta(hours=1)
"""A CRL younger than this is served again, unless something was revoked since it was made."""


def current_crl(ca: CertificateAuthority) -> bytes:
    """The CA's CRL in DER: the one on record while it is fresh, else a new one.

    Raises ``OperatorError`` when the CA's key isn't here: its PKI has the CRL.
    """
    newest = IssuedCertificate.objects.filter(ca=ca).aggregate(at=Max("revoked_at"))["at"]
    made_at = ca.crl_made_at
    if (
        ca.crl_der is not None
        and made_at is not None
        and made_at + FRESH > timezone.now()
        and (newest is None or newest < made_at)
    ):
        return bytes(ca.crl_der)
    return make_crl(ca)


def make_crl(ca: CertificateAuthority) -> bytes:
    """Sign a CRL of everything revoked and not expired, put it on record, and return its DER.

    Raises ``OperatorError`` when the CA's key isn't here or can't be read.
    """
    signer = get_signer(ca.signer) if ca.signer else None
    if not isinstance(signer, KeySigner):
        raise OperatorError(f"the key of {ca} isn't here: get the CRL from its PKI")
    try:
        key = signer.private_key(ca.key_reference)
    except SignerUnavailable as error:
        raise OperatorError(f"the key of {ca} can't be read: {error.message}") from error

    def make() -> bytes:
        # The number only grows (RFC 5280 5.2.3); a second writer conflicts and starts over.
        number = CertificateAuthority.objects.values_list("crl_number", flat=True).get(pk=ca.pk) + 1
        now = timezone.now()
        crl = _builder(ca, number, now).sign(key, signature_hash(ca.certificate.public_key()))
        der = crl.public_bytes(Encoding.DER)
        CertificateAuthority.objects.filter(pk=ca.pk).update(
            crl_number=number, crl_der=der, crl_made_at=now
        )
        return der

    return in_write_transaction(make)


def _builder(
    ca: CertificateAuthority, number: int, now: datetime.datetime
) -> x509.CertificateRevocationListBuilder:
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(ca.certificate.subject)
        .last_update(now.replace(microsecond=0))
        .next_update((now + LIFETIME).replace(microsecond=0))
        .add_extension(x509.CRLNumber(number), critical=False)
        .add_extension(authority_key_identifier(ca.certificate), critical=False)
    )
    revoked = (
        IssuedCertificate.objects.filter(ca=ca, not_after__gt=now)
        .exclude(revoked_at=None)
        .values_list("serial_number", "revoked_at", "revocation_reason")
    )
    for serial_number, revoked_at, reason in revoked.iterator():
        assert revoked_at is not None  # noqa: S101  # the query says so, its type can't
        entry = (
            x509.RevokedCertificateBuilder()
            .serial_number(int(serial_number, 16))
            .revocation_date(revoked_at)
        )
        # "unspecified" is said by leaving the reason out (RFC 5280 5.3.1).
        if reason and reason != x509.ReasonFlags.unspecified.value:
            entry = entry.add_extension(x509.CRLReason(x509.ReasonFlags(reason)), critical=False)
        builder = builder.add_revoked_certificate(entry.build())
    return builder
