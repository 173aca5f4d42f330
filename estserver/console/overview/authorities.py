"""The cards of the CAs: how long each is valid, what it issued, where AWS IoT knows it."""

import datetime
from dataclasses import dataclass

from django.db.models import Count, Q
from django.utils import timezone

from estserver.console.overview.figures import Figure
from iotprov.conf import iot_settings
from iotprov.models import CARegistration
from pki.models import CertificateAuthority, IssuedCertificate

Status = CertificateAuthority.Status


@dataclass(frozen=True, slots=True)
class Card:
    """A CA that is trusted, or that has expired while it was to sign."""

    ca: CertificateAuthority
    issued: Figure
    registrations: tuple[tuple[str, CARegistration | None], ...]
    """Each target of the configuration, with the registration there; none for a client CA."""

    @property
    def days_left(self) -> int:
        """Whole days until it expires; negative after that."""
        return (self.ca.not_after - timezone.now()) // datetime.timedelta(days=1)


def read_cards() -> list[Card]:
    """Return a card for each CA that is active or retiring, by three statements."""
    cas = list(
        CertificateAuthority.objects.exclude(status__in=CertificateAuthority.UNTRUSTED)
        .defer("pem", "chain_pem", "cross_pem", "crl_der")
        .order_by("-purpose", "status", "not_after", "name")
    )
    if not cas:
        return []
    registered = {(row.ca_id, row.target): row for row in CARegistration.objects.filter(ca__in=cas)}
    # One pass over an index that has the CA. Such a pass for each CA would take as long each time.
    issued = IssuedCertificate.objects.order_by().aggregate(
        **{f"of_{ca.pk.hex}": Count("ca", filter=Q(ca=ca)) for ca in cas}
    )
    targets = [target.name for target in iot_settings().targets]
    return [
        Card(
            ca,
            Figure(IssuedCertificate, {"ca__id__exact": ca.pk}, issued[f"of_{ca.pk.hex}"]),
            tuple((name, registered.get((ca.pk, name))) for name in targets)
            if ca.purpose == ca.Purpose.DEVICE
            else (),
        )
        for ca in cas
    ]
