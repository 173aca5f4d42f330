"""Errors that an operator reads: a command or page that can't do what was asked."""

from collections.abc import Mapping


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
