"""The field for a code, which a page never shows again: a code is used up, or told to no screen."""

from typing import Any

from django import forms


class _CodeInput(forms.TextInput):
    def format_value(self, value: Any) -> None:
        """Show nothing, so that a refused form looks the same whatever was typed."""
        return


def code_field(label: str, *, help_text: str = "", is_required: bool = True) -> forms.CharField:
    """Return a field for a one-time code or a recovery code."""
    return forms.CharField(
        label=label,
        required=is_required,
        max_length=40,
        help_text=help_text,
        widget=_CodeInput(attrs={"autocomplete": "one-time-code", "spellcheck": "false"}),
    )
