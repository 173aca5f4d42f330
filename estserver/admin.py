"""The web admin of what estserver adds to the CA: hooks that are still to run."""

from typing import Any

from django import forms
from django.contrib import admin

from estserver.enrollment.pending import run_post_hook
from estserver.models import PendingHook
from pki.admin import Done, FactAdmin, Operation
from pki.admin.display import link, minute, moment, words
from pki.operators.errors import OperatorError
from pki.record.audit_trail import Actor

admin.site.site_header = "EST server for AWS IoT"
admin.site.site_title = "EST server"
admin.site.site_url = None  # there is no other site
admin.site.index_title = "Certificates and devices"


class RunForm(forms.Form):
    """Nothing is asked."""


class RunHook(Operation):
    """Run a post hook before its time has come."""

    slug = "run"
    label = "Run now"
    form_class = RunForm

    def effects(self) -> list[str]:
        """Whose hook, and how often it failed."""
        pending: PendingHook = self.row
        return [
            f"The installation's post_{pending.certificate.operation} runs for "
            f"{pending.certificate}. It has failed {pending.attempts} times."
        ]

    def carry_out(self, form: forms.BaseForm, actor: Actor) -> Done:
        """As ``manage.py run_pending_hooks``, for this one."""
        pending: PendingHook = self.row
        if not run_post_hook(pending):
            raise OperatorError(f"the hook failed again: {pending.last_error}")
        return Done(f"The hook for {pending.certificate} has run.")


@admin.register(PendingHook)
class PendingHookAdmin(FactAdmin):
    """Hooks that haven't succeeded yet."""

    list_display = (
        words("certificate"),
        "attempts",
        words("last_error", "last error"),
        minute("next_attempt_at", "next attempt"),
        minute("created_at", "since"),
    )
    list_select_related = ("certificate",)
    empty_words = "No hook is waiting: every post_ hook has succeeded, or none is installed."
    operations = (RunHook,)
    groups = (
        (
            None,
            (
                "certificate_link",
                words("label"),
                "attempts",
                words("last_error", "last error"),
                moment("next_attempt_at", "next attempt"),
                moment("created_at", "since"),
            ),
        ),
    )

    def audit_term(self, row: PendingHook) -> str:
        """Its certificate's serial number."""
        return row.certificate.serial_number

    @admin.display(description="certificate")
    def certificate_link(self, row: Any) -> str:
        """The certificate that was issued."""
        return link(row.certificate)
