"""What the aws_ commands share."""

from pki.operators.command import OperatorCommand


class DeployCommand(OperatorCommand):
    """Prints as it goes. A step that AWS refused ends with 3, as any remote failure."""

    def say(self, line: str) -> None:
        """One line, at once: some calls take minutes."""
        self.stdout.write(line)
        self.stdout.flush()
