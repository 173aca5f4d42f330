"""Create a CA: a new key, and a self-signed certificate for it."""

import datetime

from django.utils import timezone

from pki.authorities.authority_rows import Purpose, authority_row, save_authority
from pki.authorities.ca_certificates import make_ca_certificate
from pki.authorities.new_authority import (
    check_keeps_keys,
    check_name,
    check_subject,
    check_validity,
    is_first,
    subject_of,
)
from pki.authorities.new_keys import NewKey, make_key, used_or_removed
from pki.authorities.signer_keys import new_key
from pki.csr.subjects import name_text
from pki.models import CertificateAuthority
from pki.operators.errors import OperatorError
from pki.record.audit_trail import Actor
from pki.record.find import authority_with_certificate
from pki.signers import KeySigner


def create_authority(
    purpose: Purpose,
    name: str,
    *,
    common_name: str,
    key_algorithm: str,
    validity: datetime.timedelta,
    signer: str,
    actor: Actor,
    key_reference: str | None = None,
    reason: str = "",
) -> CertificateAuthority:
    """Generate a key with the signer ``signer`` and a self-signed CA certificate for it.

    With ``key_reference``, the certificate is for that key, which the signer made in a run that was
    cut off. It is "" if the caller found none, and with ``None`` the signer is asked.

    Raises ``OperatorError`` as the checks of `pki.authorities.new_authority` do, and when the
    signer has a CA already that is not on record.
    """
    # Step 1: refuse what cannot be made, before there is a key.
    check_name(name)
    check_subject(purpose, common_name)
    check_validity(validity)
    its_signer = check_keeps_keys(signer)
    # Step 2: a key, which no CA on record has.
    its_first = is_first(purpose)
    reference = key_reference
    if reference is None:
        reference = _unused_key(purpose, its_signer) if its_first else ""
    if reference:
        made = NewKey(signer, reference, is_of_this_run=False)
    else:
        key_name = its_signer.key_name(purpose, name, is_first=its_first)
        made = make_key(name, key_name, key_algorithm, signer=signer, actor=actor)
    with used_or_removed(made):
        key = new_key(signer, made.reference)
        # Step 3: the certificate, which goes beside the key where the signer has a place for it.
        subject = subject_of(common_name)
        now = timezone.now()
        certificate = make_ca_certificate(subject, key.public_key(), key, now + validity, now)
        its_signer.keep_certificate(made.reference, certificate)
        # Step 4: the record. After a crash before it, the next run goes on with the key.
        row = authority_row(purpose, name, certificate, signer=signer, key_reference=made.reference)
        row.is_every_certificate_recorded = True
        return save_authority(row, action="create-ca", actor=actor, reason=reason)


def _unused_key(purpose: Purpose, its_signer: KeySigner) -> str:
    """Return the key that a run left where the first CA's key belongs; "" if there is none.

    Raises ``OperatorError`` when a whole CA is there, which ``bootstrap_cas`` puts on record.
    """
    found = its_signer.existing_authority(purpose)
    if found is None:
        return ""
    if found.certificates and authority_with_certificate(found.certificates[0]) is None:
        raise OperatorError(
            f"There is a CA already, {name_text(found.certificates[0].subject)}, in {found.where}. "
            "Run manage.py bootstrap_cas, which puts it on record, or name another place in the "
            "configuration."
        )
    return "" if found.certificates else found.key_reference
