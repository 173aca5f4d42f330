"""``manage.py run_pending_hooks``: run the post hooks that are due."""

from typing import Any

from estserver.enrollment.pending import run_pending_hooks
from pki.operators.command import OperatorCommand, refuse
from pki.operators.effects import Effect


class Command(OperatorCommand):
    """See ``help``."""

    help = (
        "Run the post_enroll and post_reenroll hooks that failed or were interrupted and are due "
        "again. Call this from a schedule, about every minute."
    )
    effect = Effect.MORE

    def handle(self, *args: Any, **options: Any) -> None:
        """Run them and print one line. The exit code is 1 if a hook failed."""
        succeeded, failed = run_pending_hooks()
        if failed:
            refuse(
                f"{failed} of {succeeded + failed} post hooks failed. They run again later. The "
                "log has the reasons."
            )
        self.stdout.write(f"Post hooks run: {succeeded} succeeded, {failed} failed.")
