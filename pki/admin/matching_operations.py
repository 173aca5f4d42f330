"""Operations on everything that a list's filters and search leave, as jobs."""

from typing import Any

from django import forms
from django.db.models import QuerySet
from django.utils.translation import gettext, gettext_noop

from pki.admin.certificate_operations import RevokeManyForm, elsewhere
from pki.admin.filtered import is_filtered, rows_of_list
from pki.admin.operations import Done, Operation
from pki.jobs.exporting import start_export
from pki.jobs.revoking import revocable, start_revocation
from pki.models import IssuedCertificate
from pki.record.audit_trail import Actor


class RevokeMatching(Operation):
    """Revoke every certificate that the list's filters and search leave."""

    slug = "revoke-matching"
    label = gettext_noop("Revoke all that match")
    is_for_list = True
    keeps_filter = True
    is_dangerous = True
    form_class = RevokeManyForm

    def list_obstacle(self) -> str:
        """Want a filter first: a fleet is not revoked by two clicks."""
        if is_filtered(self.request):
            return ""
        return gettext("Filter or search the list first. All that is left is revoked.")

    def get_form_kwargs(self) -> dict[str, Any]:
        """Add the number that must be typed. It is counted anew when the form comes back."""
        return {**super().get_form_kwargs(), "expected": self._rows.count()}

    @property
    def _rows(self) -> QuerySet[IssuedCertificate]:
        return revocable(rows_of_list(self.model_admin, self.request))

    def effects(self) -> list[str]:
        """Say how many certificates lose their use."""
        return [
            gettext(
                "No longer good for anything: {count} certificates, which the filter of the "
                "list leaves and which can be revoked. This cannot be undone."
            ).format(count=self._rows.count()),
            *elsewhere(None),
            gettext(
                "A job revokes them one by one. It can be cancelled, and what it has done "
                "stays done."
            ),
            gettext("The devices can still enroll again, unless they are denied."),
        ]

    def carry_out(self, form: forms.BaseForm, actor: Actor) -> Done:
        """Do what ``manage.py revoke_list --filter`` does."""
        said = form.cleaned_data
        job = start_revocation(
            self._rows, reason=said["reason"], comment=said["comment"], actor=actor
        )
        return Done(
            gettext("A job revokes {total} certificates. It goes on within a minute.").format(
                total=job.total
            ),
            job,
        )


class ExportForm(forms.Form):
    """The form of the file."""

    form = forms.ChoiceField(
        label="File", choices=[("csv", "CSV, a line for each"), ("pem", "PEM, one after the other")]
    )


class ExportMatching(Operation):
    """Write every certificate that the list's filters and search leave to a file, as a job."""

    slug = "export-matching"
    label = gettext_noop("Export as a job")
    permission = "view"
    is_for_list = True
    keeps_filter = True
    form_class = ExportForm

    def effects(self) -> list[str]:
        """Say where the file is."""
        return [
            gettext(
                "A job writes what the filter of the list leaves now. Its page has the file "
                "for a week."
            )
        ]

    def carry_out(self, form: forms.BaseForm, actor: Actor) -> Done:
        """Do what ``manage.py export_certificates --no-wait`` does."""
        rows = rows_of_list(self.model_admin, self.request)
        job = start_export(rows, form=form.cleaned_data["form"], actor=actor)
        return Done(gettext("A job writes the file. It begins within a minute."), job)
