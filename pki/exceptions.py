"""Refusals and failures of the CA, free of HTTP. `estserver.est.exceptions` has their statuses."""

from pki.reasons import ReasonCode


class PKIError(Exception):
    """A refusal or failure with a stable reason code and a message for a person.

    The message is sent to the client. It says what was found, what is wanted and what to do, and
    never a secret, a path or anything else internal. By default it is the reason's own.
    """

    def __init__(self, reason: ReasonCode, message: str = "") -> None:
        self.reason = reason
        self.message = message or f"{reason.meaning} {reason.advice}"
        super().__init__(f"{reason.code}: {self.message}")


class CSRRejected(PKIError):
    """The CSR cannot be signed as it is. Another CSR could be."""


class ClientRefused(PKIError):
    """The client certificate does not authenticate a client."""


class DeviceDenied(PKIError):
    """The denylist names this device or client, so nothing is issued to it."""


class EnrollmentRefused(PKIError):
    """This client may not have what it asks for."""


class QuotaExceeded(PKIError):
    """The client has had as much as the profile gives it. It may come back later."""

    def __init__(self, reason: ReasonCode, message: str = "", *, retry_after: int = 60) -> None:
        super().__init__(reason, message)
        self.retry_after = retry_after
        """Seconds until the same request may succeed."""


class SignerRefused(PKIError):
    """The external PKI refused the request."""


class SignerUnavailable(PKIError):
    """The signer was out of reach or returned an unfit certificate. The intent stays."""


class AuthorityUnavailable(PKIError):
    """No CA can issue, or be published, for this label."""


class Busy(PKIError):
    """The database was out of reach, or in conflict with other writers at every attempt."""
