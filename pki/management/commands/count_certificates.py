"""Say how many certificates are on record."""

from typing import Any

from pki.models import CertificateAuthority, IssuedCertificate
from pki.operators.command import OperatorCommand


class Command(OperatorCommand):
    """See ``help``."""

    help = "Print how many certificates are on record, how many of them are live, and of which CAs."

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the numbers in a line."""
        names = ", ".join(
            CertificateAuthority.objects.order_by("name").values_list("name", flat=True)
        )
        self.stdout.write(
            f"{IssuedCertificate.objects.count()} certificates on record, "
            f"{IssuedCertificate.objects.live().count()} of them live; CAs: {names or 'none'}"
        )
