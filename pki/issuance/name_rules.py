"""Decide whether a client may have a certificate for a thing name: the one authoriser.

``pki.issuance.client_authentication`` has settled before who the client is. Every rule here that
applies must hold. None is a fall-back for another.
"""

import datetime

from pki.choices import RULES_BY_CLIENT_NAME
from pki.csr.check import ParsedCSR
from pki.csr.public_keys import key_matches
from pki.csr.reading import asks_to_change_subject
from pki.csr.san import renewed_san, sans_equal
from pki.csr.subjects import name_text
from pki.csr.thing_names import fold_name
from pki.encoding.names import names_equal
from pki.exceptions import EnrollmentRefused
from pki.issuance.client_authentication import Client
from pki.issuance.on_file import CertificateOnFile
from pki.models import IssuedCertificate
from pki.reasons import Reason
from pki.record.snapshot import ProfileSnapshot


def check_name(
    common_name: str,
    client: Client,
    profile: ProfileSnapshot,
    owner: IssuedCertificate | None,
) -> None:
    """Raise ``EnrollmentRefused`` unless ``client`` may enroll ``common_name``.

    ``owner`` is the certificate with which the name was first enrolled, if any. A device
    certificate is good for its own name alone, whatever the profile's rule is.
    """
    if owner is not None and owner.common_name != common_name:
        raise EnrollmentRefused(
            Reason.NAME_BOUND_TO_ANOTHER,
            f"The thing name {common_name!r} differs only in case from {owner.common_name!r}, "
            "which is taken. Choose another name.",
        )
    if client.is_device:
        if client.common_name != common_name:
            raise EnrollmentRefused(Reason.NAME_NOT_YOURS, _not_the_devices(common_name, client))
        return
    if not profile.grants(common_name, client.common_name):
        raise EnrollmentRefused(
            Reason.NAME_NOT_YOURS, _not_granted(common_name, client.common_name, profile)
        )
    # Every rule grants a name to more than one client: of another CA, reissued, on the list.
    if owner is not None and not profile.row.can_rebind_names:
        check_bound(common_name, client, profile, owner)


def _not_the_devices(common_name: str, client: Client) -> str:
    """Say that the CSR names another device than the one that sent it."""
    return (
        f"The CSR's CN is {common_name!r}, and the device certificate's is "
        f"{client.common_name!r}. A device can only ask for its own name."
    )


def _not_granted(common_name: str, client_name: str, profile: ProfileSnapshot) -> str:
    granted = profile.granted_name(client_name)
    if granted is None:
        return f"The CN {common_name!r} is not on the profile's allow list."
    return (
        f"The CN {common_name!r} is not what the identity rule {profile.row.identity_rule} grants "
        f"this client ({granted!r})."
    )


def check_bound(
    common_name: str, client: Client, profile: ProfileSnapshot, owner: IssuedCertificate
) -> None:
    """Raise ``EnrollmentRefused`` unless this very client holds the name."""
    if not is_holder(client, owner, profile):
        raise EnrollmentRefused(
            Reason.NAME_BOUND_TO_ANOTHER,
            f"Another client certificate enrolled the thing name {common_name!r} first.",
        )


def is_holder(client: Client, owner: IssuedCertificate, profile: ProfileSnapshot) -> bool:
    """Return whether ``client`` holds the name whose owner's row is ``owner``.

    A name has one holder in the whole installation. That is a client certificate, by its signed
    part, since anybody can rewrite an ECDSA signature. Where the rule goes by the client's name,
    it is the client of that name and CA, so that a reissued certificate keeps its names.
    """
    if (
        profile.row.identity_rule in RULES_BY_CLIENT_NAME
        and owner.holder_name_sha256
        and owner.holder_name_sha256 == client.name_sha256
    ):
        return True
    # Rows from before these columns have the client that enrolled the name, or its fingerprint.
    signed_sha256 = owner.holder_signed_sha256 or owner.client_signed_sha256
    if signed_sha256:
        return signed_sha256 == client.signed_sha256
    known = {client.fingerprint, client.other_fingerprint} - {""}
    return (owner.holder_fingerprint or owner.client_fingerprint) in known


def check_renewal(
    csr: ParsedCSR,
    client: Client,
    profile: ProfileSnapshot,
    *,
    owner: IssuedCertificate | None,
    on_file: CertificateOnFile | None,
    at: datetime.datetime,
) -> None:
    """Raise ``EnrollmentRefused`` unless ``client`` may renew ``on_file`` with ``csr``.

    RFC 7030 4.2.2: subject and SAN equal those of the certificate to be renewed. Of the requested
    names, those count that are not left out (`pki.csr.san.renewed_san`). ``on_file`` is None for
    a name that was enrolled elsewhere and is adopted, so nothing is compared.
    """
    _check_may_renew(csr.common_name, client, profile, owner=owner, on_file=on_file)
    if asks_to_change_subject(csr.csr):
        raise EnrollmentRefused(Reason.CHANGE_SUBJECT_NAME_REFUSED)
    if on_file is None:
        return
    if not names_equal(csr.csr.subject, on_file.subject):
        raise EnrollmentRefused(
            Reason.SUBJECT_CHANGED,
            f"The CSR's subject is {name_text(csr.csr.subject)!r}, and the certificate's is "
            f"{name_text(on_file.subject)!r}. Send the certificate's.",
        )
    asked, kept = renewed_san(csr.names, on_file.san, profile.rules.own_names)
    if not sans_equal(asked.san, kept):
        raise EnrollmentRefused(Reason.SAN_CHANGED)
    if not profile.row.can_reuse_key and key_matches(on_file.certificate, csr.key_sha256):
        raise EnrollmentRefused(Reason.KEY_REUSE_REFUSED)
    window = profile.row.reenroll_window_days
    not_after = on_file.row.not_after
    if window and at < not_after - datetime.timedelta(days=window):
        raise EnrollmentRefused(
            Reason.REENROLL_TOO_EARLY,
            f"The certificate is valid until {not_after:%Y-%m-%d}. "
            f"It can be renewed in its last {window} days.",
        )


def _check_may_renew(
    common_name: str,
    client: Client,
    profile: ProfileSnapshot,
    *,
    owner: IssuedCertificate | None,
    on_file: CertificateOnFile | None,
) -> None:
    """Raise ``EnrollmentRefused`` unless ``client`` may renew a certificate of this name at all."""
    if client.is_device:
        # The whole subject is compared with the certificate's later, by RFC 5280 7.1, which ignores
        # case. This comparison gives the clearer refusal for another name, so it ignores case too.
        if fold_name(client.common_name) != fold_name(common_name):
            raise EnrollmentRefused(Reason.SUBJECT_CHANGED, _not_the_devices(common_name, client))
        return
    if not profile.row.can_client_reenroll:
        raise EnrollmentRefused(Reason.REENROLL_NEEDS_DEVICE_CERTIFICATE)
    if owner is None and not profile.row.can_adopt_names:
        raise EnrollmentRefused(
            Reason.NOTHING_TO_RENEW,
            f"No client has enrolled the thing name {common_name!r} here. "
            "Enroll it first (simpleenroll).",
        )
    if owner is not None:
        common_name = owner.common_name  # the client may have changed its case, see above
        check_bound(common_name, client, profile, owner)
    check_name(common_name, client, profile, owner)
    if owner is not None and on_file is None:
        raise EnrollmentRefused(
            Reason.NOTHING_TO_RENEW,
            f"The thing name {common_name!r} has no current certificate. "
            "Enroll it again (simpleenroll).",
        )
