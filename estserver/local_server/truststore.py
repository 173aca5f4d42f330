"""The CAs whose certificates may open a connection, from the database."""

from django.db import DatabaseError

from estserver.local_server.tls import TruststoreUnavailable
from pki.record.snapshot import current_snapshot


class DatabaseTruststore:
    """Client CAs, and device CAs, whose devices renew with their own certificates."""

    def version(self) -> str:
        """Changes with every change to a CA. Raises ``TruststoreUnavailable``."""
        try:
            return str(current_snapshot().generation)
        except DatabaseError as error:
            raise TruststoreUnavailable(f"the database doesn't answer: {error}") from error

    def pem(self) -> str:
        """Every trusted CA on record, in PEM. Raises ``TruststoreUnavailable``."""
        try:
            authorities = current_snapshot().authorities
        except DatabaseError as error:
            raise TruststoreUnavailable(f"the database doesn't answer: {error}") from error
        return "".join(authority.row.pem for authority in authorities)
