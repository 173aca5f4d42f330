"""``manage.py run_pending_hooks``: run the post hooks that are due."""

from typing import Any

from django.utils import timezone

from estserver.enrollment.pending import run_pending_hooks
from estserver.models import PendingHook
from pki.operators.command import OperatorCommand, refuse
from pki.operators.effects import Effect


class Command(OperatorCommand):
    """See ``help``."""

    help = (
        "Run the post_enroll and post_reenroll hooks that failed or were interrupted and are due "
        "again. Call this from a schedule, about every minute."
    )
    effect = Effect.MORE

    def handle(self, *args: Any, dry_run: bool, **options: Any) -> None:
        """Run them and print one line. The exit code is 1 if a hook failed."""
        if dry_run:
            count = PendingHook.objects.filter(next_attempt_at__lte=timezone.now()).count()
            self.say(f"Post hooks that are due: {count}. None was run (--dry-run).", due=count)
            return
        succeeded, failed = run_pending_hooks()
        if failed:
            refuse(
                f"{failed} of {succeeded + failed} post hooks failed. They run again later. The "
                "log has the reasons."
            )
        self.say(
            f"Post hooks run: {succeeded} succeeded, {failed} failed.",
            succeeded=succeeded,
            failed=failed,
        )
