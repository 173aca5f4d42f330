"""What can go wrong in the CA. Nothing here knows HTTP: estserver's one table translates."""

from pki.reasons import ReasonCode


class PKIError(Exception):
    """A refusal or failure with a stable reason code and one sentence for a person.

    The sentence reaches the client: it names what was sent and what was wanted, never a secret,
    a path or anything else internal.
    """

    def __init__(self, reason: ReasonCode, message: str = "") -> None:
        self.reason = reason
        self.message = message or f"{reason.meaning} {reason.advice}"
        super().__init__(f"{reason.code}: {self.message}")


class CSRRejected(PKIError):
    """The CSR can't be signed as it is; another CSR could be."""


class ClientRefused(PKIError):
    """The client certificate authenticates nobody."""


class DeviceDenied(PKIError):
    """The denylist names this device or client; nothing may be issued to it."""


class EnrollmentRefused(PKIError):
    """This client may not have what it asks for."""


class SignerRefused(PKIError):
    """The external PKI looked at the request and said no."""


class SignerUnavailable(PKIError):
    """The signer couldn't be reached, or returned something unfit; the intent stays."""


class AuthorityUnavailable(PKIError):
    """No CA can issue or be published for this label."""


class Busy(PKIError):
    """The database was unreachable, or stayed contended through every retry."""
