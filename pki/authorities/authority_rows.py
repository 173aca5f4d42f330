"""How a new CA is put on record."""

from itertools import count
from typing import Any

from cryptography import x509
from django.db.models import Q

from pki.csr.key_algorithms import KEY_ALGORITHMS
from pki.csr.public_keys import check_public_key, public_key_sha256
from pki.csr.subjects import name_text
from pki.encoding.certificates import fingerprint_of, pem_of, serial_number_text
from pki.exceptions import CSRRejected
from pki.models import CertificateAuthority, CertificateProfile
from pki.operators.errors import OperatorError
from pki.record import audit_trail
from pki.record.audit_trail import Actor
from pki.record.profile_labels import client_cas_after
from pki.record.profile_lockouts import EVERY_SETTING
from pki.record.profile_versions import change_profile
from pki.record.transactions import in_write_transaction
from pki.record.trust_paths import distrusted_ca_of

Purpose = CertificateAuthority.Purpose
Status = CertificateAuthority.Status


def free_name(name: str) -> str:
    """Return ``name``, or the next free one: ``device-ca``, ``device-ca-2``, ``device-ca-3``."""
    taken = set(CertificateAuthority.objects.values_list("name", flat=True))
    if name not in taken:
        return name
    base, _, number = name.rpartition("-")
    base, start = (base, int(number)) if base and number.isdecimal() else (name, 1)
    return next(free for n in count(start + 1) if (free := f"{base}-{n}") not in taken)


def authority_row(
    purpose: Purpose, name: str, certificate: x509.Certificate, *, signer: str, key_reference: str
) -> CertificateAuthority:
    """Return the row of a CA with that certificate, which is not saved yet."""
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
    """Return the key algorithm's name; ``other`` for one of a truststore's CA that has no name."""
    try:
        return check_public_key(certificate.public_key(), frozenset(KEY_ALGORITHMS))
    except CSRRejected:
        return "other"


def save_authority(
    row: CertificateAuthority, *, action: str, actor: Actor, reason: str = ""
) -> CertificateAuthority:
    """Save a new CA. The CA that it succeeds retires, and the profiles in force issue from the new.

    Profiles that name a client CA take its successor too. Raises ``OperatorError`` when the old CA
    has a successor already, the name or certificate was put on record meanwhile, or the new CA
    leads to one that is distrusted.
    """
    old = row.successor_of

    def save() -> CertificateAuthority:
        # Conditional: of two successors that are made at once, one is refused.
        if old is not None and not _retire(old):
            raise OperatorError(f"{old} has a successor already. Look at the list of CAs.")
        # Of two that are made at once with one name or certificate, the second finds the first.
        same = Q(name=row.name) | Q(fingerprint_sha256=row.fingerprint_sha256)
        if other := CertificateAuthority.objects.filter(same).first():
            raise OperatorError(
                f"{other} was put on record meanwhile, with this name or certificate. Look at the "
                "list of CAs."
            )
        if distrusted := distrusted_ca_of(row):
            raise OperatorError(
                f"{row} leads to {distrusted}, which is distrusted: that CA signed it, or has the "
                "same key. Give a CA with another key and path."
            )
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
                _change(profile, {"ca": row}, actor, f"{row} succeeds {old}")
        if row.purpose == Purpose.CLIENT:
            _name_in_profiles(row, actor)
        return row

    saved = in_write_transaction(save)
    if old is not None:
        old.status = Status.RETIRING
    return saved


def _name_in_profiles(ca: CertificateAuthority, actor: Actor) -> None:
    """Let profiles in force accept the clients of the new client CA, where they should."""
    for profile in CertificateProfile.objects.exclude(active_label=None):
        client_cas = client_cas_after(profile, ca)
        if client_cas != profile.client_cas:
            reason = (
                f"{ca} succeeds {ca.successor_of}" if ca.successor_of else "the first client CA"
            )
            _change(profile, {"client_cas": client_cas}, actor, reason)


def _change(
    profile: CertificateProfile, changes: dict[str, Any], actor: Actor, reason: str
) -> None:
    """Change a profile as a part of what a person has confirmed of the CA."""
    change_profile(profile, changes, actor=actor, reason=reason, confirmed=EVERY_SETTING)


def _retire(ca: CertificateAuthority) -> bool:
    """Return whether ``ca`` was active until now.

    Only its status is written, because a CRL of the CA may be made at the same time. The row of its
    successor, which is saved next, tells every process that the CAs have changed.
    """
    active = CertificateAuthority.objects.filter(pk=ca.pk, status=Status.ACTIVE)
    return active.update(status=Status.RETIRING) == 1
