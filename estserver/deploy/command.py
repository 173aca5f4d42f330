"""The base class of the aws_ commands."""

from pki.operators.command import OperatorCommand


class DeployCommand(OperatorCommand):
    """A command that prints as it goes. A step that AWS refused ends with exit code 3."""

    def say(self, line: str) -> None:
        """Print one line at once, because some calls take minutes."""
        self.stdout.write(line)
        self.stdout.flush()
