"""May this client have a certificate for this thing name? One authoriser for both operations.

*Who* is settled before (``pki.issuance.client_authentication``); these rules only decide *may*.
Every rule that applies must hold; none is a fall-back for another.
"""

import datetime

from pki.csr.check import ParsedCSR, asks_to_change_subject
from pki.csr.public_keys import key_matches
from pki.csr.subjects import name_text, names_equal, sans_equal
from pki.csr.thing_names import fold_name
from pki.encoding.certificates import san_of
from pki.exceptions import EnrollmentRefused
from pki.issuance.client_authentication import Client
from pki.models import CertificateProfile, IssuedCertificate
from pki.reasons import Reason
from pki.record.snapshot import ProfileSnapshot

_Rule = CertificateProfile.IdentityRule


def check_name(
    common_name: str,
    client: Client,
    profile: ProfileSnapshot,
    owner: IssuedCertificate | None,
) -> None:
    """Raise ``EnrollmentRefused`` unless ``client`` may have ``common_name``.

    ``owner`` is the certificate with which the name was first enrolled, if any. A device
    certificate speaks for its own name only, whatever the profile's rule.
    """
    if owner is not None and owner.common_name != common_name:
        raise EnrollmentRefused(
            Reason.NAME_BOUND_TO_ANOTHER,
            f"the thing name {common_name!r} differs only in case from {owner.common_name!r}, "
            "which is taken",
        )
    if client.is_device:
        if client.common_name != common_name:
            raise EnrollmentRefused(
                Reason.NAME_NOT_YOURS,
                f"CN {common_name!r} isn't the device certificate's {client.common_name!r}",
            )
        return
    rule = profile.row.identity_rule
    if rule == _Rule.SAME_CN:
        _check_same(common_name, client.common_name, rule)
    elif rule == _Rule.PATTERN:
        found = profile.identity_pattern and profile.identity_pattern.fullmatch(client.common_name)
        _check_same(common_name, found.group("name") if found else "", rule)
    elif rule == _Rule.ALLOW_LIST:
        if common_name not in profile.row.allowed_names:
            raise EnrollmentRefused(
                Reason.NAME_NOT_YOURS, f"CN {common_name!r} isn't on the profile's allow list"
            )
    elif rule == _Rule.FIRST_USE and owner is not None:
        check_bound(common_name, client, owner)


def _check_same(common_name: str, granted: str, rule: str) -> None:
    if common_name != granted:
        raise EnrollmentRefused(
            Reason.NAME_NOT_YOURS,
            f"CN {common_name!r} isn't what rule {rule} grants this client ({granted!r})",
        )


def check_bound(common_name: str, client: Client, owner: IssuedCertificate) -> None:
    """Raise ``EnrollmentRefused`` unless the name was first enrolled by this very client."""
    if owner.client_fingerprint != client.fingerprint:
        raise EnrollmentRefused(
            Reason.NAME_BOUND_TO_ANOTHER,
            f"another client certificate enrolled the thing name {common_name!r} first",
        )


def check_renewal(
    csr: ParsedCSR,
    client: Client,
    profile: ProfileSnapshot,
    *,
    owner: IssuedCertificate | None,
    on_file: IssuedCertificate | None,
    at: datetime.datetime,
) -> None:
    """Raise ``EnrollmentRefused`` unless ``client`` may renew ``on_file`` with ``csr``.

    RFC 7030 4.2.2: subject and SAN equal those of the certificate to be renewed. That is the
    device's own certificate, or, for a bound client, the current one of the thing name.
    """
    _check_may_renew(csr.common_name, client, profile, owner=owner, on_file=on_file)
    if asks_to_change_subject(csr.csr):
        raise EnrollmentRefused(Reason.CHANGE_SUBJECT_NAME_REFUSED)
    if on_file is None:
        return  # a name adopted from elsewhere: there is nothing to compare with
    certificate = on_file.to_x509()
    if not names_equal(csr.csr.subject, certificate.subject):
        raise EnrollmentRefused(
            Reason.SUBJECT_CHANGED,
            f"the CSR's subject {name_text(csr.csr.subject)!r} isn't the certificate's "
            f"{name_text(certificate.subject)!r}",
        )
    if not sans_equal(csr.san, san_of(certificate.extensions)):
        raise EnrollmentRefused(Reason.SAN_CHANGED)
    if not profile.row.can_reuse_key and key_matches(certificate, csr.key_sha256):
        raise EnrollmentRefused(Reason.KEY_REUSE_REFUSED)
    window = profile.row.reenroll_window_days
    if window and at < on_file.not_after - datetime.timedelta(days=window):
        raise EnrollmentRefused(
            Reason.REENROLL_TOO_EARLY,
            f"the certificate is good until {on_file.not_after:%Y-%m-%d}; "
            f"renewal is open in its last {window} days",
        )


def _check_may_renew(
    common_name: str,
    client: Client,
    profile: ProfileSnapshot,
    *,
    owner: IssuedCertificate | None,
    on_file: IssuedCertificate | None,
) -> None:
    if client.is_device:
        # Its subject is compared with the certificate's in full; the name alone gives the clearer
        # refusal. Case is left to that comparison: RFC 5280 7.1 ignores it.
        if fold_name(client.common_name) != fold_name(common_name):
            raise EnrollmentRefused(
                Reason.SUBJECT_CHANGED,
                f"CN {common_name!r} isn't the device certificate's {client.common_name!r}",
            )
        return
    if not profile.row.can_client_reenroll:
        raise EnrollmentRefused(Reason.REENROLL_NEEDS_DEVICE_CERTIFICATE)
    if owner is None and not profile.row.can_adopt_names:
        raise EnrollmentRefused(
            Reason.NOTHING_TO_RENEW,
            f"nobody has enrolled the thing name {common_name!r} here: enroll it first",
        )
    if owner is not None:
        common_name = owner.common_name  # re-encoded by the client, perhaps: see above
        check_bound(common_name, client, owner)
    check_name(common_name, client, profile, owner)
    if owner is not None and on_file is None:
        raise EnrollmentRefused(
            Reason.NOTHING_TO_RENEW,
            f"the thing name {common_name!r} has no certificate on file: enroll it",
        )
