"""What can go wrong in the CA. Nothing here knows HTTP: estserver's one table translates."""

from collections.abc import Mapping

from pki.reasons import Reason


class PKIError(Exception):
    """A refusal or failure with a stable reason code and one sentence for a person.

    The sentence reaches the client: it names what was sent and what was wanted, never a secret,
    a path or anything else internal.
    """

    def __init__(self, reason: Reason, message: str = "") -> None:
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


class OperatorError(Exception):
    """A command or admin action can't be carried out; says what is wrong and what to do."""


class RemoteFailure(OperatorError):
    """A service that we call, AWS above all, refused or didn't answer.

    ``call`` is the service and operation (``iot:RegisterCACertificate``), ``code`` the service's
    own, ``details`` what else it named. What is transient may work when it is tried again.
    """

    def __init__(
        self,
        call: str,
        code: str,
        message: str,
        advice: str,
        *,
        is_transient: bool = False,
        is_throttled: bool = False,
        details: Mapping[str, str] | None = None,
    ) -> None:
        self.call = call
        self.code = code
        self.is_transient = is_transient
        self.is_throttled = is_throttled
        self.details = details or {}
        super().__init__(f"{call} failed with {code}: {message.rstrip('.')}; {advice}")


def remote_failure(error: BaseException | None) -> RemoteFailure | None:
    """The failure of another service that ``error`` is or tells of; ``None`` for our own."""
    while error is not None and not isinstance(error, RemoteFailure):
        error = error.__cause__
    return error
