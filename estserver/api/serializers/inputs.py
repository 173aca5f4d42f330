"""The base of what the API takes, in a body or a query: a field that is not known is refused."""

import difflib
from collections.abc import Mapping
from typing import Any

from rest_framework import serializers

from pki.csr.thing_names import shown

MOST_ROWS = 1000
LONGEST_REASON = 400  # as a page takes


class Input(serializers.Serializer[Any]):
    """Fields that a request may have, and no others."""

    def to_internal_value(self, data: Any) -> Any:
        """Return the values. Raises ``ValidationError``, which names each wrong field."""
        if not isinstance(data, Mapping):
            wrong = f"Found {type(data).__name__}, wanted a JSON object with fields."
            raise serializers.ValidationError({"non_field_errors": [wrong]})
        strange = [str(name) for name in data if name not in self.fields]
        unknown = {name: [_advice(name, self.fields)] for name in strange}
        if unknown:
            raise serializers.ValidationError(unknown)
        return super().to_internal_value(data)


def _advice(name: str, known: Any) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    if near:
        return f"There is no field {shown(name)}. Did you mean {near[0]}?"
    return f"There is no field {shown(name)}. Use: {', '.join(known) or 'none'}."


class Choice(serializers.ChoiceField):
    """One of some words. The refusal names them."""

    def fail(self, key: str, **kwargs: Any) -> Any:
        """Raise ``ValidationError``."""
        if key == "invalid_choice":
            words = ", ".join(map(str, self.choices))
            raise serializers.ValidationError(
                f"Found {shown(str(kwargs['input'])[:80])}, wanted one of: {words}."
            )
        super().fail(key, **kwargs)


class Text(serializers.CharField):
    """A line of text, which may be empty unless it is required."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("allow_blank", not kwargs.get("required", True))
        kwargs.setdefault("max_length", LONGEST_REASON)
        super().__init__(**kwargs)


class Reasoned(Input):
    """A change: its reason, and whether it is only to be said what it would do."""

    reason = Text(help_text="Kept on the audit trail.")
    dry_run = serializers.BooleanField(
        default=False, help_text="Say what would happen, and change nothing."
    )


class PageInput(Input):
    """Which page of a list."""

    limit = serializers.IntegerField(
        default=100, min_value=1, max_value=MOST_ROWS, help_text="Rows of a page."
    )
    cursor = serializers.CharField(
        default="", allow_blank=True, max_length=600, help_text="`next_cursor` of the page before."
    )


class NoInput(Input):
    """No field at all."""
