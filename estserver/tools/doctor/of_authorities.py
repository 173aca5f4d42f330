"""Checks of CAs, their keys, and what clients may take under the profiles."""

import datetime
from collections.abc import Iterator

from django.utils import timezone

from estserver.operations.gauges import CA_DAYS_LEFT
from estserver.operations.report_rows import Row
from pki.choices import IdentityRule
from pki.exceptions import PKIError
from pki.models import CertificateAuthority, CertificateProfile
from pki.operators.errors import OperatorError
from pki.record.snapshot import AuthoritySnapshot
from pki.signers import get_signer

_DAY = datetime.timedelta(days=1)
_TAKES_ANY_NAME = frozenset({IdentityRule.FIRST_USE, IdentityRule.ANY})
"""Rules under which the client, and not the installation, decides how many names there are."""


def authority_rows() -> Iterator[Row]:
    """Look when the CAs that issue, and those that clients come with, expire."""
    found = list(CertificateAuthority.objects.issuing())
    if not any(ca.purpose == CertificateAuthority.Purpose.DEVICE for ca in found):
        yield Row("CAs", "FAIL", "There is no device CA.", "Run manage.py bootstrap_cas.")
    for ca in found:
        days = (ca.not_after - timezone.now()) // _DAY
        name = f"CA {ca.name}"
        if days < 0:
            yield Row(name, "FAIL", f"It expired on {ca.not_after:%Y-%m-%d}.", _roll(ca))
        elif days < CA_DAYS_LEFT:
            yield Row(name, "WARN", f"It expires in {days} days.", _roll(ca))
        else:
            yield Row(name, "OK", f"It is valid for {days} more days.")


def _roll(ca: CertificateAuthority) -> str:
    if ca.can_sign:
        return f"Make its successor: manage.py ca_successor {ca.name} --reason ..."
    return "Its own PKI has to make its successor. Import that, and name it in client_cas."


def key_rows() -> Iterator[Row]:
    """Ask each signer whether it has the key of its CA, and the CA's certificate is of that key."""
    for ca in CertificateAuthority.objects.issuing():
        if not ca.can_sign:
            continue
        name = f"key of {ca.name}"
        try:
            get_signer(ca.signer).check(AuthoritySnapshot(ca).issuer)
        except (PKIError, OperatorError) as error:
            cause = f" ({error.__cause__})" if error.__cause__ else ""
            yield Row(
                name,
                "FAIL",
                f"The signer {ca.signer!r} cannot sign: {error}{cause}",
                "Look at the signer's options, and at the right to its key.",
            )
        else:
            yield Row(name, "OK", f"The signer {ca.signer!r} has it, and the certificate is of it.")


def quota_rows() -> Iterator[Row]:
    """Look whether one stolen client certificate could take any number of thing names."""
    unbounded = [
        profile.name
        for profile in CertificateProfile.objects.exclude(active_label=None).order_by("name")
        if profile.new_names_per_hour is None
        and profile.new_names_ever is None
        and profile.identity_rule in _TAKES_ANY_NAME
    ]
    for name in unbounded:
        yield Row(
            "quotas",
            "WARN",
            f"Under the profile {name} one client may take any number of thing names.",
            f"Bound it: manage.py profile_set {name} new_names_per_hour=3600 --reason ...",
        )
    if not unbounded:
        yield Row("quotas", "OK", "Every profile bounds the new names of a client.")
