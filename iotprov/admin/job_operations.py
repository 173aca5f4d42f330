"""Operations that start a job: compare AWS IoT with the record, and provision once more."""

from typing import Any

from django import forms
from django.http import HttpRequest
from django.utils.translation import gettext, gettext_noop

from iotprov.admin.targets import TargetForm
from iotprov.jobs.comparing import start_comparison
from iotprov.jobs.reprovisioning import provisionable, start_reprovisioning
from pki.admin import Done, Operation, ReasonForm, text_field
from pki.admin.filtered import is_filtered, rows_of_list
from pki.record.audit_trail import Actor


class CompareForm(TargetForm):
    """The target, the depth, and whether differences are mended."""

    deep = forms.BooleanField(
        label="Also the things and policies of each certificate",
        required=False,
        help_text=gettext_noop("Two calls for each: about eight certificates a second."),
    )
    repair = forms.BooleanField(
        label="Mend what is this server's to mend",
        required=False,
        help_text=gettext_noop("What only AWS has is never touched."),
    )
    reason = text_field(help_text=gettext_noop("With a repair: kept on the audit trail."))


class CompareAsJob(Operation):
    """Compare AWS IoT with the record, as a job."""

    slug = "compare"
    label = gettext_noop("Compare with AWS IoT")
    is_for_list = True
    form_class = CompareForm

    def get_initial(self) -> dict[str, Any]:
        """Take the target, and whether to mend, from the link that led here."""
        asked = self.request.GET
        initial = {"target": asked.get("target", ""), "repair": asked.get("repair") == "yes"}
        return {**super().get_initial(), **initial}

    def effects(self) -> list[str]:
        """Say what is compared, and where the differences are shown."""
        return [
            gettext(
                "A job compares policy, template, role, CAs and certificates with what AWS "
                "has. Each difference is a line of its results."
            ),
            gettext("Without a repair nothing is changed."),
        ]

    def carry_out(self, form: forms.BaseForm, actor: Actor) -> Done:
        """Do what ``manage.py drift --as-job`` does."""
        asked = form.cleaned_data
        job = start_comparison(
            asked["target"],
            deep=asked["deep"],
            repair=asked["repair"],
            reason=asked["reason"],
            actor=actor,
        )
        return Done(
            gettext("A job compares AWS IoT with the record. It begins within a minute."), job
        )


class ReprovisionMatching(Operation):
    """Give every certificate that the list's filters leave to the outbox once more."""

    slug = "reprovision-matching"
    label = gettext_noop("Provision all that match once more")
    is_for_list = True
    keeps_filter = True
    form_class = ReasonForm

    @classmethod
    def is_allowed(cls, request: HttpRequest, model: Any) -> bool:
        """Ask for the outbox's permission, as a retry of its rows does."""
        return request.user.has_perm("iotprov.change_provisioning")

    def list_obstacle(self) -> str:
        """Want a filter first."""
        return "" if is_filtered(self.request) else gettext("Filter or search the list first.")

    def effects(self) -> list[str]:
        """Say how many certificates there are, and that agreement changes nothing."""
        count = provisionable(rows_of_list(self.model_admin, self.request)).count()
        return [
            gettext(
                "A job gives {count} certificates to the outbox, which makes AWS IoT agree "
                "with the record of each. What agrees already stays as it is."
            ).format(count=count),
        ]

    def carry_out(self, form: forms.BaseForm, actor: Actor) -> Done:
        """Do what ``manage.py reprovision --filter`` does."""
        rows = rows_of_list(self.model_admin, self.request)
        job = start_reprovisioning(rows, reason=form.cleaned_data["reason"], actor=actor)
        return Done(
            gettext("A job gives {total} certificates to the outbox.").format(total=job.total), job
        )
