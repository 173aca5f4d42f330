"""Targets of an operation that calls AWS, and the time that an operator waits for it."""

import time
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

from django import forms
from django.utils.translation import gettext, gettext_noop

from iotprov.conf import IoTTarget, find_target, iot_settings

WAIT = 20.0
"""Seconds after which no further call begins. API Gateway ends a request after 29.

https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-execution-service-limits-table.html
"""

T = TypeVar("T")


def while_there_is_time(things: Iterable[T]) -> Iterator[T]:
    """Yield ``things`` for ``WAIT`` seconds. An operator repeats the operation for the rest."""
    end = time.monotonic() + WAIT
    for thing in things:
        if time.monotonic() >= end:
            return
        yield thing


def offer_targets(form: forms.Form, *, without: str) -> None:
    """Let the field ``target`` of ``form`` offer the configured targets.

    ``without`` is the words for choosing none.
    """
    field = form.fields["target"]
    assert isinstance(field, forms.ChoiceField)  # noqa: S101  # forms with a target declare it so
    names = [target.name for target in iot_settings().targets]
    field.choices = [("", without), *((name, name) for name in names)]


class TargetForm(forms.Form):
    """One target, or all."""

    target = forms.ChoiceField(label=gettext_noop("Target"), required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offer_targets(self, without=gettext("All targets"))

    @property
    def targets(self) -> tuple[IoTTarget, ...]:
        """Return the chosen targets."""
        target = find_target(self.cleaned_data["target"])
        return (target,) if target else iot_settings().targets
