"""What the forms for new CAs share: errors at their fields, and no private key in a wrong one."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

from django import forms
from django.contrib.admin import widgets

from pki.admin.display import visible
from pki.admin.operations import reason_field
from pki.authorities.new_authority import check_name
from pki.encoding.pem import has_private_key
from pki.models import CertificateAuthority
from pki.operators.errors import OperatorError

Purpose = CertificateAuthority.Purpose

WHAT_DOES_NOT_FOLLOW = (
    "A device CA signs nothing until a profile names it, and AWS IoT does not know it until it is "
    "registered there.",
    "Clients of a client CA are let in once a profile accepts them, and the truststore of the EST "
    "domain has the CA. A profile that names no client CA takes the first one.",
)
"""What an operator has to do with a new CA, in sentences. Its page has the steps that are left."""


class NewCAForm(forms.Form):
    """The name, the role and the reason of a new CA.

    A private key in a field that is not for one is refused, is not looked at, and is not shown
    again (threat T64).
    """

    takes_private_keys: ClassVar[frozenset[str]] = frozenset()

    name = forms.CharField(
        max_length=60,
        widget=widgets.AdminTextInputWidget,
        help_text="For commands, lists and the name of its key: letters, digits, '_' and '-'.",
    )
    purpose = forms.ChoiceField(label="Role", choices=Purpose.choices)
    reason = reason_field()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.misplaced: list[str] = []
        if not self.is_bound:
            return
        typed: Any = self.data
        self.data = kept = typed.copy()  # what a request holds cannot be changed
        for name in self.fields:
            value = kept.get(name)
            is_key = isinstance(value, str) and has_private_key(value.encode())
            if is_key and name not in self.takes_private_keys:
                self.misplaced.append(name)
                kept[name] = ""

    def clean_name(self) -> str:
        """Refuse a name that a CA cannot have, or that one has."""
        name: str = self.cleaned_data["name"]
        try:
            check_name(name)
        except OperatorError as error:
            raise forms.ValidationError(visible(str(error))) from error
        return name

    def clean(self) -> dict[str, Any]:
        """Say at each field where a private key was that it does not belong there."""
        for name in self.misplaced:
            self.errors.pop(name, None)  # that the field is empty
            self.add_error(
                name,
                "That is a private key, and this is not its field. It was not read, and is not "
                "kept. Give the key in its own field, or not at all.",
            )
        return super().clean() or self.cleaned_data

    @contextmanager
    def at(self, field: str) -> Iterator[None]:
        """Show a refusal of the block at ``field``, unless the field is wrong already."""
        try:
            yield
        except OperatorError as error:
            if field not in self.errors:
                self.add_error(field, visible(str(error)))

    def has(self, *fields: str) -> bool:
        """Return whether all of the fields are right so far."""
        return all(field in self.cleaned_data for field in fields)
