"""Operations on the outbox: retry rows, park rows, work through what is due."""

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.translation import gettext, gettext_noop

from iotprov.admin.targets import WAIT, TargetForm
from iotprov.models import Provisioning
from iotprov.provisioning.outbox import hurry, park, retry
from iotprov.provisioning.worker import attempt_now, drain
from pki.admin import Done, ModelAdmin, Operation, ReasonForm, SelectedOperation, text_field
from pki.operators.errors import OperatorError
from pki.record.audit_trail import Actor

State = Provisioning.State

_WAIT_FOR_ONE = 10.0  # seconds
_MAX_SHOWN = 20


class RetryForm(forms.Form):
    """A reason that may be left out."""

    reason = text_field(help_text=gettext_noop("For the audit trail: what has been repaired."))


class RetryNow(Operation):
    """Try a row while the operator waits."""

    slug = "retry"
    label = gettext_noop("Retry now")
    form_class = RetryForm

    def effects(self) -> list[str]:
        """Say that AWS IoT is called, and what failed the last time."""
        row: Provisioning = self.row
        effects = [
            gettext(
                "AWS IoT at {target} is made to agree with the record of {certificate}, now. "
                "What agrees already stays as it is."
            ).format(target=row.target, certificate=row.certificate)
        ]
        if row.error:
            effects.append(gettext("The last attempt failed: {error}").format(error=row.error))
        return effects

    def carry_out(self, form: forms.BaseForm, actor: Actor) -> Done:
        """Make the row due, then try it. A row that fails stays in the outbox."""
        row: Provisioning = self.row
        retry(row, actor=actor, reason=form.cleaned_data["reason"])
        attempt_now(row, seconds=_WAIT_FOR_ONE)
        if row.state == State.SETTLED:
            return Done(
                gettext("AWS IoT at {target} agrees: {note}.").format(
                    target=row.target, note=row.note or row.aws_status
                ),
                row,
            )
        if row.error:
            failure = gettext("It failed again: {error}").format(error=row.error)
            return Done("", row, failures=(failure,))
        return Done(
            gettext("{row} is due, and goes on with the next run of provision_pending.").format(
                row=row
            ),
            row,
        )


class Park(Operation):
    """Exclude a row from work until an operator retries it."""

    slug = "park"
    label = gettext_noop("Park")

    @classmethod
    def obstacle(cls, row: Provisioning) -> str:
        """Only pending rows can be parked. Settled and parked rows need no action."""
        if row.state != State.PENDING:
            return gettext("{row} is {state}. Only a pending row can be parked.").format(
                row=row, state=row.state
            )
        return ""

    def effects(self) -> list[str]:
        """Say what that means for the device."""
        row: Provisioning = self.row
        return [
            gettext(
                "{certificate} at {target} is not worked on until an operator retries it, or "
                "its goal changes. AWS IoT keeps what it has now."
            ).format(certificate=row.certificate, target=row.target)
        ]

    def carry_out(self, form: forms.BaseForm, actor: Actor) -> Done:
        """Park the row."""
        park(self.row, actor=actor, reason=form.cleaned_data["reason"])
        return Done(gettext("{row} is parked.").format(row=self.row), self.row)


class WorkForm(TargetForm):
    """The target, and whether rows that wait after a failure are tried too."""

    hurry = forms.BooleanField(
        label="Also rows that failed and wait for their next attempt",
        required=False,
        help_text=gettext_noop("Choose this when the cause of the failures has been repaired."),
    )


class WorkThrough(Operation):
    """Do now what the schedule does."""

    slug = "work"
    label = gettext_noop("Work on what is due")
    is_for_list = True
    form_class = WorkForm

    def effects(self) -> list[str]:
        """Say how many rows are due, and how long they are worked on."""
        due = Provisioning.objects.due().count()
        return [
            gettext(
                "Rows due now: {due}. They are worked on for {wait:.0f} seconds at most, those "
                "of devices to be stopped first. The schedule continues with the rest."
            ).format(due=due, wait=WAIT)
        ]

    def carry_out(self, form: forms.BaseForm, actor: Actor) -> Done:
        """Do what ``manage.py provision_pending --seconds`` does, with ``--now`` if chosen."""
        target = form.cleaned_data["target"]
        if form.cleaned_data["hurry"]:
            hurry(target)
        done = drain(seconds=WAIT, target=target)
        return Done(f"{str(done).capitalize()}.", failures=_failures(done.error))


def _failures(error: Exception | None) -> tuple[str, ...]:
    """Return the failure's sentence. The text of a bug may quote anything, so it is left out."""
    if error is None:
        return ()
    is_for_operators = isinstance(error, OperatorError)
    return (
        str(error)
        if is_for_operators
        else gettext("{error}. See the log.").format(error=type(error).__name__),
    )


class _Selected(SelectedOperation):
    """An action on rows that were selected in the list."""

    nothing_selected = gettext_noop("None of the selected rows allows it.")
    rows: tuple[Provisioning, ...] = ()

    def which(self) -> str:
        """Return how many rows there are, and the names of the first ones."""
        names = [str(row) for row in self.rows[:_MAX_SHOWN]]
        more = len(self.rows) - len(names)
        shown = f"{len(self.rows)}: {', '.join(names)}"
        if more:
            shown = gettext("{names} and {more} more").format(names=shown, more=more)
        return shown


class RetrySelected(_Selected):
    """Make rows due, so that the schedule works on them."""

    slug = "retry-selected"
    label = gettext_noop("Retry all of them")
    action = "retry_selected"
    form_class = RetryForm

    def effects(self) -> list[str]:
        """Say which rows."""
        return [
            gettext("They become due at once, {which}.").format(which=self.which()),
            gettext(
                "The next run of provision_pending works on them; “Work on what is due” does "
                "it now."
            ),
        ]

    def carry_out(self, form: forms.BaseForm, actor: Actor) -> Done:
        """Retry one by one: after a failure, each row is either due or untouched."""
        for row in self.rows:
            retry(row, actor=actor, reason=form.cleaned_data["reason"])
        return Done(gettext("Due now: {count}.").format(count=len(self.rows)))


class ParkSelected(_Selected):
    """Exclude rows from work until an operator retries them."""

    slug = "park-selected"
    label = gettext_noop("Park all of them")
    action = "park_selected"
    form_class = ReasonForm

    def effects(self) -> list[str]:
        """Say which rows."""
        return [
            gettext(
                "They are not worked on until an operator retries them, or their goal changes, "
                "{which}."
            ).format(which=self.which())
        ]

    def carry_out(self, form: forms.BaseForm, actor: Actor) -> Done:
        """Park one by one: after a failure, each row is either parked or untouched."""
        for row in self.rows:
            park(row, actor=actor, reason=form.cleaned_data["reason"])
        return Done(gettext("Parked: {count}.").format(count=len(self.rows)))


@admin.action(permissions=["operate"], description="Retry selected rows")
def retry_selected(
    model_admin: ModelAdmin, request: HttpRequest, queryset: QuerySet[Provisioning]
) -> HttpResponseBase:
    """Retry the selected rows that do not agree yet, parked ones too."""
    return RetrySelected.on_rows(model_admin, request, queryset.exclude(state=State.SETTLED))


@admin.action(permissions=["operate"], description="Park selected rows")
def park_selected(
    model_admin: ModelAdmin, request: HttpRequest, queryset: QuerySet[Provisioning]
) -> HttpResponseBase:
    """Park the selected rows that are pending."""
    return ParkSelected.on_rows(model_admin, request, queryset.filter(state=State.PENDING))
