"""The CAs that verify client certificates in TLS, from the database."""

from django.db import DatabaseError

from estserver.local_server.tls import TruststoreUnavailable
from pki.record.snapshot import current_snapshot


class DatabaseTruststore:
    """All CAs on record. Device CAs are among them, for devices that renew."""

    def version(self) -> str:
        """Return a text that changes with every CA. Raises ``TruststoreUnavailable``."""
        try:
            return str(current_snapshot().generation)
        except DatabaseError as error:
            raise TruststoreUnavailable(f"The database does not answer: {error}.") from error

    def pem(self) -> str:
        """Return every trusted CA on record in PEM. Raises ``TruststoreUnavailable``."""
        try:
            authorities = current_snapshot().authorities
        except DatabaseError as error:
            raise TruststoreUnavailable(f"The database does not answer: {error}.") from error
        return "".join(authority.row.pem for authority in authorities)
