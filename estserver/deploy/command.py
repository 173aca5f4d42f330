"""The base class of the aws_ commands."""

from pki.operators.command import OperatorCommand


class DeployCommand(OperatorCommand):
    """A command that prints as it goes. A step that AWS refused ends with exit code 3."""
