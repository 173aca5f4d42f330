"""The CAs whose certificates may open a connection, from the database."""

from django.db import DatabaseError

from estserver.local_server.tls import TruststoreUnavailable
from pki.record import snapshot


class DatabaseTruststore:
    """Client CAs, and device CAs, whose devices renew with their own certificates."""

    def version(self) -> str:
        """Changes with every change to a CA. Raises ``TruststoreUnavailable``."""
        try:
            return str(snapshot.current().generation)
        except DatabaseError as error:
            raise TruststoreUnavailable(f"the database doesn't answer: {error}") from error

    def pem(self) -> str:
        """Every trusted CA on record, in PEM. Raises ``TruststoreUnavailable``."""
        try:
            authorities = snapshot.current().authorities
        except DatabaseError as error:
            raise TruststoreUnavailable(f"the database doesn't answer: {error}") from error
        return "".join(authority.row.pem for authority in authorities)
