"""Operations that say which version a person saw, so that no later one is lost (threat T61)."""

from abc import ABC, abstractmethod
from typing import Any

from django import forms

from iotprov.documents.versions import Kind, VersionChanged, number_in_force
from pki.admin import Done, Operation, ReasonForm
from pki.record.audit_trail import Actor


def kind_of(operation: Operation) -> Kind:
    """Return whether the operation's page is that of the template or of the policy."""
    return Kind(operation.model_admin.kind)  # type: ignore[attr-defined]  # a DocumentAdmin


class BasedOnForm(ReasonForm):
    """A reason, and the number of the version in force when the page was made; 0 is the file."""

    based_on = forms.IntegerField(widget=forms.HiddenInput, min_value=0)


class OnVersion(Operation, ABC):
    """An operation that puts a text in the place of the one that its page showed."""

    form_class: type[forms.BaseForm] | None = BasedOnForm

    def get_initial(self) -> dict[str, Any]:
        """Start from the version in force."""
        return {**super().get_initial(), "based_on": number_in_force(kind_of(self))}

    @abstractmethod
    def write(self, form: forms.BaseForm, actor: Actor) -> Done:
        """Call the service, with ``based_on``."""

    def carry_out(self, form: forms.BaseForm, actor: Actor) -> Done:
        """Refuse the later one of two changes, and show it what the earlier one has saved."""
        try:
            return self.write(form, actor)
        except VersionChanged as changed:
            self.show_change(form, changed)
            # The page shows what differs now. The same form sent again is meant for this version.
            sent = {name: form.data[name] for name in form.data}  # a QueryDict has lists inside
            form.data = {**sent, "based_on": str(changed.version.number)}
            raise

    def show_change(self, form: forms.BaseForm, changed: VersionChanged) -> None:
        """Add to the page what differs from the version that came in between."""
