"""Errors about provisioning templates and AWS IoT policies."""

from pki.operators.errors import OperatorError


class DocumentError(OperatorError):
    """A provisioning template or IoT policy cannot be used. The text says why."""


class TemplateError(DocumentError):
    """The provisioning template cannot be carried out, or not for this certificate."""
