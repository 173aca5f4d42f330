"""Operations on the outbox: try again, leave alone, work through what is due."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin import widgets
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase

from iotprov.admin.targets import WAIT, TargetForm
from iotprov.models import Provisioning
from iotprov.provisioning.outbox import hurry, park, retry
from iotprov.provisioning.worker import attempt_now, drain
from pki.admin import Done, Operation, ReasonForm, SelectedOperation
from pki.operators.errors import OperatorError
from pki.record.audit_trail import Actor

if TYPE_CHECKING:
    from iotprov.admin.provisioning import ProvisioningAdmin

State = Provisioning.State

MOST_AT_ONCE = 500
_WAIT_FOR_ONE = 10.0  # seconds
_MOST_SHOWN = 20


class RetryForm(forms.Form):
    """A reason may be given."""

    reason = forms.CharField(
        max_length=400,
        required=False,
        widget=widgets.AdminTextInputWidget(attrs={"class": "vLargeTextField"}),
        help_text="For the audit trail: what has been mended.",
    )


class RetryNow(Operation):
    """Try it while the operator waits."""

    slug = "retry"
    label = "Retry now"
    form_class = RetryForm

    def effects(self) -> list[str]:
        """That AWS is called."""
        row: Provisioning = self.row
        effects = [
            f"AWS IoT at {row.target} is made to agree with the record of {row.certificate}, now. "
            "What agrees already is left as it is."
        ]
        if row.error:
            effects.append(f"The last time it failed: {row.error}")
        return effects

    def carry_out(self, form: forms.BaseForm, actor: Actor) -> Done:
        """Make it due, then try it: what fails stays in the outbox."""
        row: Provisioning = self.row
        retry(row, actor=actor, reason=form.cleaned_data["reason"])
        attempt_now(row, seconds=_WAIT_FOR_ONE)
        if row.state == State.SETTLED:
            return Done(f"AWS IoT at {row.target} agrees: {row.note or row.aws_status}.", row)
        if row.error:
            return Done("", row, failures=(f"It failed again: {row.error}",))
        return Done(f"{row} is due, and goes on with the next run of provision_pending.", row)


class Park(Operation):
    """Leave a row alone."""

    slug = "park"
    label = "Park"

    @classmethod
    def obstacle(cls, row: Provisioning) -> str:
        """What agrees needs nothing; what is parked is."""
        if row.state != State.PENDING:
            return f"{row} is {row.state}: only what is pending can be parked."
        return ""

    def effects(self) -> list[str]:
        """What that means for the device."""
        row: Provisioning = self.row
        return [
            f"Nobody works on {row.certificate} at {row.target} until somebody retries it, or "
            "something new is wanted of it. AWS IoT goes on to hold what it holds now."
        ]

    def carry_out(self, form: forms.BaseForm, actor: Actor) -> Done:
        """The one row."""
        park(self.row, actor=actor, reason=form.cleaned_data["reason"])
        return Done(f"{self.row} is parked.", self.row)


class WorkForm(TargetForm):
    """Where, and whether those that wait are tried too."""

    hurry = forms.BooleanField(
        label="Also rows that failed and wait for their next attempt",
        required=False,
        help_text="When what made them fail has been mended.",
    )


class WorkThrough(Operation):
    """What the schedule does, now."""

    slug = "work"
    label = "Work on what is due"
    is_for_list = True
    form_class = WorkForm

    def effects(self) -> list[str]:
        """How much, and for how long."""
        due = Provisioning.objects.due().count()
        return [
            f"Rows due now: {due}. They are worked on for {WAIT:.0f} seconds at most, those to be "
            "stopped first; the schedule goes on with the rest."
        ]

    def carry_out(self, form: forms.BaseForm, actor: Actor) -> Done:
        """As ``manage.py provision_pending --seconds``, and ``--now``."""
        target = form.cleaned_data["target"]
        if form.cleaned_data["hurry"]:
            hurry(target)
        done = drain(seconds=WAIT, target=target)
        return Done(f"{str(done).capitalize()}.", failures=_failures(done.error))


def _failures(error: Exception | None) -> tuple[str, ...]:
    """A bug's text may quote anything: it stays in the log."""
    if error is None:
        return ()
    is_ours = isinstance(error, OperatorError)
    return (str(error) if is_ours else f"{type(error).__name__}: see the log",)


class _Selected(SelectedOperation):
    """An action on rows that were ticked."""

    rows: tuple[Provisioning, ...] = ()

    def which(self) -> str:
        names = [str(row) for row in self.rows[:_MOST_SHOWN]]
        more = len(self.rows) - len(names)
        return f"{len(self.rows)}: {', '.join(names)}" + (f" and {more} more" if more else "")


class RetrySelected(_Selected):
    """Make rows due; the schedule works on them."""

    slug = "retry-selected"
    label = "Retry all of them"
    action = "retry_selected"
    form_class = RetryForm

    def effects(self) -> list[str]:
        """Which."""
        return [
            f"They become due at once, {self.which()}.",
            "The next run of provision_pending works on them; “Work on what is due” does it now.",
        ]

    def carry_out(self, form: forms.BaseForm, actor: Actor) -> Done:
        """One service call each: a failure in the middle leaves whole rows behind."""
        for row in self.rows:
            retry(row, actor=actor, reason=form.cleaned_data["reason"])
        return Done(f"Due now: {len(self.rows)}.")


class ParkSelected(_Selected):
    """Leave rows alone."""

    slug = "park-selected"
    label = "Park all of them"
    action = "park_selected"
    form_class = ReasonForm

    def effects(self) -> list[str]:
        """Which."""
        return [
            f"Nobody works on them until somebody retries them, or something new is wanted of "
            f"them, {self.which()}."
        ]

    def carry_out(self, form: forms.BaseForm, actor: Actor) -> Done:
        """One service call each."""
        for row in self.rows:
            park(row, actor=actor, reason=form.cleaned_data["reason"])
        return Done(f"Parked: {len(self.rows)}.")


@admin.action(permissions=["operate"], description="Retry selected rows")
def retry_selected(
    model_admin: "ProvisioningAdmin", request: HttpRequest, queryset: QuerySet[Provisioning]
) -> HttpResponseBase:
    """Up to 500 rows that don't agree, parked ones above all."""
    return _on_selected(RetrySelected, model_admin, request, queryset.exclude(state=State.SETTLED))


@admin.action(permissions=["operate"], description="Park selected rows")
def park_selected(
    model_admin: "ProvisioningAdmin", request: HttpRequest, queryset: QuerySet[Provisioning]
) -> HttpResponseBase:
    """Up to 500 pending rows."""
    return _on_selected(ParkSelected, model_admin, request, queryset.filter(state=State.PENDING))


def _on_selected(
    operation: type[_Selected],
    model_admin: "ProvisioningAdmin",
    request: HttpRequest,
    queryset: QuerySet[Any],
) -> HttpResponseBase:
    rows = tuple(queryset[: MOST_AT_ONCE + 1])
    if not rows or len(rows) > MOST_AT_ONCE:
        sentence = (
            f"Select at most {MOST_AT_ONCE} rows." if rows else "None of these rows is open to it."
        )
        messages.error(request, sentence)
        return HttpResponseRedirect(request.get_full_path())
    return operation.as_view(model_admin=model_admin, rows=rows)(request)
