"""What can be wrong with a provisioning template or an AWS IoT policy."""

from pki.operators.errors import OperatorError


class DocumentError(OperatorError):
    """A provisioning template or IoT policy can't be used; says what is wrong with it."""


class TemplateError(DocumentError):
    """The provisioning template can't be carried out, or not for this certificate."""
