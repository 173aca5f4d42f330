"""Run the post hooks that are still to run."""

from typing import Any

from estserver.enrollment.enroll import run_pending_hooks
from pki.operators.command import OperatorCommand, refuse


class Command(OperatorCommand):
    """See ``help``."""

    help = (
        "Run the post_enroll and post_reenroll hooks that failed or were cut off, when their time "
        "has come. For a schedule: every minute or so."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        """One line; exit code 1 when a hook failed, which runs again later."""
        succeeded, failed = run_pending_hooks()
        said = f"post hooks run: {succeeded} succeeded, {failed} failed"
        if failed:
            refuse(f"{said}; those run again later, and the log says what was wrong")
        self.stdout.write(said)
