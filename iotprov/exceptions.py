"""Errors about provisioning templates and AWS IoT policies."""

from pki.operators.errors import OperatorError


class DocumentError(OperatorError):
    """A provisioning template or IoT policy cannot be used. The text says why."""


class TemplateError(DocumentError):
    """The provisioning template cannot be carried out, or not for this certificate."""


class ThingInUse(OperatorError):
    """A thing that a certificate would be attached to belongs to another device (threat T47).

    ``is_attached`` says that the certificate is attached to it all the same.
    """

    def __init__(self, message: str, *, is_attached: bool) -> None:
        self.is_attached = is_attached
        super().__init__(message)
