"""Say how many certificates are on record."""

from typing import Any

from pki.models import CertificateAuthority, IssuedCertificate
from pki.operators.command import OperatorCommand


class Command(OperatorCommand):
    """See ``help``."""

    help = "Print how many certificates are on record, how many of them are live, and of which CAs."

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the numbers in a line."""
        names = list(CertificateAuthority.objects.order_by("name").values_list("name", flat=True))
        count, live = IssuedCertificate.objects.count(), IssuedCertificate.objects.live().count()
        self.say(
            f"{count} certificates on record, {live} of them live; "
            f"CAs: {', '.join(names) or 'none'}",
            certificates=count,
            live=live,
            cas=names,
        )
