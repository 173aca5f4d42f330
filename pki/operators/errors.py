"""Errors that an operator reads, when a command or page cannot do what was asked."""

from collections.abc import Mapping


class OperatorError(Exception):
    """A command or admin action cannot be carried out. The text says why, and what to do."""


class RemoteFailure(OperatorError):
    """Another service, in most cases AWS, refused a call or did not answer.

    ``call`` is the service and operation (``iot:RegisterCACertificate``), ``code`` the service's
    error code, ``message`` its own text. ``advice`` is a sentence that says what to do. ``details``
    holds what else the answer named. If ``is_transient``, the same call may succeed later.
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
        super().__init__(f"{call} failed with {code}: {message.rstrip('.')}. {advice}")


def remote_failure(error: BaseException | None) -> RemoteFailure | None:
    """Return the failure of another service that ``error`` is, or was caused by, if any."""
    while error is not None and not isinstance(error, RemoteFailure):
        error = error.__cause__
    return error
