"""Operations on post hooks that have not succeeded: run one now."""

from django import forms
from django.utils.translation import gettext, gettext_noop

from estserver.enrollment.pending import run_post_hook
from estserver.models import PendingHook
from pki.admin import Done, EmptyForm, Operation
from pki.operators.errors import OperatorError
from pki.record.audit_trail import Actor


class RunHook(Operation):
    """Run a post hook before its next attempt is due."""

    slug = "run"
    label = gettext_noop("Run now")
    form_class = EmptyForm

    def effects(self) -> list[str]:
        """Say for which certificate the hook runs, and how often it failed."""
        pending: PendingHook = self.row
        return [
            gettext(
                "The installation's post_{operation} runs for {certificate}. It has failed "
                "{attempts} times."
            ).format(
                operation=pending.certificate.operation,
                certificate=pending.certificate,
                attempts=pending.attempts,
            )
        ]

    def carry_out(self, form: forms.BaseForm, actor: Actor) -> Done:
        """Do what ``manage.py run_pending_hooks`` does, for this hook only."""
        pending: PendingHook = self.row
        if not run_post_hook(pending):
            raise OperatorError(f"The hook failed again: {pending.last_error}")
        return Done(
            gettext("The hook for {certificate} has run.").format(certificate=pending.certificate)
        )
