"""Making, importing and succeeding CAs."""

import datetime
from itertools import count

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import (
    CertificateIssuerPrivateKeyTypes,
    CertificateIssuerPublicKeyTypes,
)
from cryptography.x509.oid import NameOID
from django.utils import timezone

from pki.csr.key_algorithms import KEY_ALGORITHMS
from pki.csr.public_keys import check_public_key, public_key_sha256, public_keys_equal
from pki.csr.subjects import name_text
from pki.encoding.certificates import (
    fingerprint_of,
    is_ca,
    is_signed_by,
    pem_of,
    serial_number_text,
)
from pki.encoding.key_usage import key_usage
from pki.exceptions import CSRRejected, SignerUnavailable
from pki.models import CertificateAuthority, CertificateProfile
from pki.operators.errors import OperatorError
from pki.record import audit_trail
from pki.record.audit_trail import Actor
from pki.record.intents import BACKDATING
from pki.record.profile_versions import change_profile
from pki.record.transactions import in_write_transaction
from pki.signers import KeySigner, authority_key, get_signer
from pki.signers.certificate_contents import random_serial_number, signature_hash

Purpose = CertificateAuthority.Purpose
Status = CertificateAuthority.Status


def create_authority(
    purpose: Purpose,
    name: str,
    *,
    common_name: str,
    key_algorithm: str,
    validity: datetime.timedelta,
    signer: str,
    actor: Actor,
    key_reference: str = "",
) -> CertificateAuthority:
    """Generate a key with the signer ``signer`` and a self-signed CA certificate for it.

    With ``key_reference``, the certificate is for that key, which the signer made for a CA that
    got no further. Raises ``OperatorError`` when the signer can't keep keys.
    """
    key_signer = _key_signer(signer)
    reference = key_reference or key_signer.create_key(
        key_signer.key_name(purpose, name, is_first=True), key_algorithm
    )
    key = _new_key(signer, reference)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    now = timezone.now()
    certificate = _ca_certificate(
        subject, key.public_key(), subject, key, until=now + validity, now=now
    )
    key_signer.keep_certificate(reference, certificate)
    row = _row(purpose, name, certificate, signer=signer, key_reference=reference)
    row.is_every_certificate_recorded = True
    return _record(row, action="create-ca", actor=actor)


def import_authority(
    purpose: Purpose,
    name: str,
    certificates: list[x509.Certificate],
    *,
    key: CertificateIssuerPrivateKeyTypes | None,
    signer: str,
    actor: Actor,
    key_reference: str = "",
    successor_of: CertificateAuthority | None = None,
) -> CertificateAuthority:
    """Put a CA that was made elsewhere on record: its certificate first, then its chain.

    ``key`` goes to the signer ``signer``; without one, ``signer`` has the key already (as
    ``key_reference``, or it is asked) or is what reaches the PKI outside, or "" for a CA that is
    only trusted. Raises ``OperatorError`` for a
    certificate that isn't a CA's, has expired, is on record already or doesn't match the key.
    """
    certificate, *chain = certificates
    check_ca_certificate(certificate)
    _check_chain(certificate, chain)
    _check_is_new(certificate)
    reference = key_reference
    if key is None and signer and not reference:
        reference = _find_key(signer, certificate)
    if key is not None:
        if not public_keys_equal(key.public_key(), certificate.public_key()):
            raise OperatorError(
                f"the private key isn't that of {name_text(certificate.subject)}: "
                "give the key that belongs to the CA certificate"
            )
        key_signer = _key_signer(signer)
        key_name = key_signer.key_name(purpose, name, is_first=successor_of is None)
        reference = key_signer.store(key_name, key)
        key_signer.keep_certificate(reference, certificate)
    row = _row(purpose, name, certificate, signer=signer, key_reference=reference)
    row.chain_pem = pem_of(*chain)
    row.successor_of = successor_of
    return _record(row, action="import-ca", actor=actor)


def make_successor(ca: CertificateAuthority, *, actor: Actor, reason: str) -> CertificateAuthority:
    """Make a CA of the same subject with a new key, and let it issue in place of ``ca``.

    The old one stays trusted and published until it expires. OldWithNew and NewWithOld are made
    (RFC 4210 4.4), so that devices with either root can verify certificates of both. Raises
    ``OperatorError`` when ``ca`` was replaced already, has a CA above it, or its key isn't here.
    """
    if not reason.strip():
        raise OperatorError("a successor needs a reason: whoever reads it later will ask")
    if ca.status != Status.ACTIVE:
        raise OperatorError(f"{ca} is {ca.status}: only an active CA can have a successor")
    old_key = authority_key(ca, otherwise="have its PKI make a new CA, and import that")
    signer = _key_signer(ca.signer)
    old = ca.certificate
    if old.issuer != old.subject:
        raise OperatorError(
            f"{ca} is signed by {name_text(old.issuer)}: have that CA sign a new one, and import it"
        )
    if ca.key_algorithm not in KEY_ALGORITHMS:
        raise OperatorError(
            f"the key of {ca} is of a kind that isn't made here: have its PKI make a new CA, and "
            "import that"
        )
    now = timezone.now()
    name = free_name(ca.name)
    key_name = signer.key_name(ca.purpose, name, is_first=False)
    reference = signer.create_key(key_name, ca.key_algorithm)
    new_key = _new_key(ca.signer, reference)
    until = now + (old.not_valid_after_utc - old.not_valid_before_utc - BACKDATING)
    new = _ca_certificate(old.subject, new_key.public_key(), old.subject, new_key, until, now)
    end = min(until, old.not_valid_after_utc)
    new_with_old = _ca_certificate(
        old.subject, new_key.public_key(), old.subject, old_key, end, now, issuer=old
    )
    old_public_key = _issuer_key(old)
    old_with_new = _ca_certificate(
        old.subject, old_public_key, old.subject, new_key, end, now, issuer=new
    )
    signer.keep_certificate(reference, new)
    row = _row(Purpose(ca.purpose), name, new, signer=ca.signer, key_reference=reference)
    row.successor_of = ca
    row.is_every_certificate_recorded = True
    row.cross_pem = pem_of(new_with_old, old_with_new)
    return _record(row, action="succeed-ca", actor=actor, reason=reason)


def _record(
    row: CertificateAuthority, *, action: str, actor: Actor, reason: str = ""
) -> CertificateAuthority:
    """Save a new CA; the one that it succeeds retires, and the profiles follow."""

    old = row.successor_of

    def save() -> CertificateAuthority:
        # Conditional: of two successors that are made at once, one is refused.
        if old is not None and not _retire(old):
            raise OperatorError(f"{old} has a successor already: look at the list of CAs")
        row.save(force_insert=True)
        audit_trail.record(
            action,
            actor=actor,
            target=f"ca:{row.name}",
            reason=reason,
            after={
                "subject": row.subject,
                "fingerprint": row.fingerprint_sha256,
                "not_after": row.not_after.isoformat(),
                "successor_of": row.successor_of.name if row.successor_of else None,
            },
        )
        if old is not None:
            for profile in CertificateProfile.objects.filter(ca=old).exclude(active_label=None):
                change_profile(profile, {"ca": row}, actor=actor, reason=f"{row} succeeds {old}")
        return row

    saved = in_write_transaction(save)
    if old is not None:
        old.status = Status.RETIRING
    return saved


def _retire(ca: CertificateAuthority) -> bool:
    """Whether ``ca`` was active until now. Only its status is written: a CRL may be in the making.

    The row of its successor, saved next, tells every process that CAs have changed.
    """
    active = CertificateAuthority.objects.filter(pk=ca.pk, status=Status.ACTIVE)
    return active.update(status=Status.RETIRING) == 1


def _check_is_new(certificate: x509.Certificate) -> None:
    fingerprint = fingerprint_of(certificate)
    known = CertificateAuthority.objects.filter(fingerprint_sha256=fingerprint).first()
    if known is not None:
        raise OperatorError(f"this very certificate is on record already, as {known}")


def check_ca_certificate(certificate: x509.Certificate) -> None:
    """Raise ``OperatorError`` unless this is a CA's certificate, and its time isn't over."""
    subject = name_text(certificate.subject)
    if not is_ca(certificate):
        raise OperatorError(
            f"{subject} isn't a CA certificate (basicConstraints CA:TRUE is missing): "
            "give the certificate of the CA, not of a server or device"
        )
    try:
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        usage = None
    if usage is not None and not usage.key_cert_sign:
        raise OperatorError(f"{subject} may not sign certificates (key usage lacks keyCertSign)")
    if certificate.not_valid_after_utc <= timezone.now():
        raise OperatorError(
            f"{subject} expired on {certificate.not_valid_after_utc:%Y-%m-%d}: give its successor"
        )
    if certificate.not_valid_before_utc > timezone.now():
        raise OperatorError(
            f"{subject} begins on {certificate.not_valid_before_utc:%Y-%m-%d}: look at this "
            "machine's clock, or import it then"
        )


def _check_chain(certificate: x509.Certificate, chain: list[x509.Certificate]) -> None:
    below = certificate
    for above in chain:
        if not is_signed_by(below, above):
            raise OperatorError(
                f"{name_text(below.subject)} isn't signed by "
                f"{name_text(above.subject)}: order the file from the CA up to its root"
            )
        below = above


def _key_signer(alias: str) -> KeySigner:
    signer = get_signer(alias)
    if not isinstance(signer, KeySigner):
        raise OperatorError(f"the signer {alias!r} keeps no keys: choose one that does")
    return signer


def _find_key(alias: str, certificate: x509.Certificate) -> str:
    """Where a signer that keeps keys has the CA's; "" is the answer for a PKI outside."""
    signer = get_signer(alias)
    if not isinstance(signer, KeySigner):
        return ""
    reference = signer.find_key(certificate)
    if not reference:
        raise OperatorError(
            f"the signer {alias!r} needs the private key of "
            f"{name_text(certificate.subject)}: give the key's file, or choose the signer "
            "of the PKI that has it"
        )
    return reference


def _new_key(alias: str, reference: str) -> CertificateIssuerPrivateKeyTypes:
    """A key that no CA has had before. Raises ``OperatorError`` when it can't be had after all."""
    try:
        key = _key_signer(alias).private_key(reference)
    except SignerUnavailable as error:
        raise OperatorError(
            f"the signer {alias!r} made a key, {reference}, and can't get at it "
            f"({error.__cause__ or error.message}): mend that, then try again; the key isn't used"
        ) from error
    key_sha256 = public_key_sha256(key.public_key())
    owner = CertificateAuthority.objects.filter(key_sha256=key_sha256).first()
    if owner is not None:
        raise OperatorError(
            f"the signer {alias!r} is set to one key, which {owner} has: name another in its "
            "OPTIONS, or none, so that it makes one"
        )
    return key


def free_name(name: str) -> str:
    """``name``, or what follows it: after ``device-ca`` comes ``device-ca-2``, then ``-3``."""
    taken = set(CertificateAuthority.objects.values_list("name", flat=True))
    if name not in taken:
        return name
    base, _, number = name.rpartition("-")
    base, start = (base, int(number)) if base and number.isdecimal() else (name, 1)
    return next(free for n in count(start + 1) if (free := f"{base}-{n}") not in taken)


def _issuer_key(certificate: x509.Certificate) -> CertificateIssuerPublicKeyTypes:
    return certificate.public_key()  # type: ignore[return-value]  # a CA's key can sign


def _row(
    purpose: Purpose, name: str, certificate: x509.Certificate, *, signer: str, key_reference: str
) -> CertificateAuthority:
    public_key = certificate.public_key()
    return CertificateAuthority(
        purpose=purpose,
        name=name,
        pem=pem_of(certificate),
        subject=name_text(certificate.subject)[:500],
        serial_number=serial_number_text(certificate.serial_number),
        fingerprint_sha256=fingerprint_of(certificate),
        key_sha256=public_key_sha256(public_key),
        key_algorithm=_key_algorithm(certificate),
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
        signer=signer,
        key_reference=key_reference,
    )


def _key_algorithm(certificate: x509.Certificate) -> str:
    """Its name in our list; a CA of a truststore may have any other."""
    try:
        return check_public_key(certificate.public_key(), frozenset(KEY_ALGORITHMS))
    except CSRRejected:
        return "other"


def _ca_certificate(
    subject: x509.Name,
    public_key: CertificateIssuerPublicKeyTypes,
    issuer_name: x509.Name,
    issuer_key: CertificateIssuerPrivateKeyTypes,
    until: datetime.datetime,
    now: datetime.datetime,
    *,
    issuer: x509.Certificate | None = None,
) -> x509.Certificate:
    """A CA certificate, for signing certificates and CRLs only (RFC 5280 4.2.1).

    Below a self-signed one there is room for the cross-certificate of a rollover: RFC 5280 4.2.1.9
    doesn't count that one, being self-issued, but Go and Python's cryptography do.
    """
    path_length = 0 if issuer else 1
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer_name)
        .public_key(public_key)
        .serial_number(random_serial_number())
        .not_valid_before((now - BACKDATING).replace(microsecond=0))
        .not_valid_after(until.replace(microsecond=0))
        .add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
        .add_extension(key_usage(key_cert_sign=True, crl_sign=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
    )
    authority_key = _issuer_key(issuer) if issuer else public_key
    return builder.add_extension(
        x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key), critical=False
    ).sign(issuer_key, signature_hash(issuer_key.public_key()))
