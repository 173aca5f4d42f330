"""What the operations share that go to AWS: which targets, and for how long a person waits."""

import time
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

from django import forms

from iotprov.conf import IoTTarget, find_target, iot_settings

WAIT = 20.0
"""Seconds after which nothing further is begun: a gateway gives up on the page after 29."""

T = TypeVar("T")


def while_there_is_time(things: Iterable[T]) -> Iterator[T]:
    """``things``, until ``WAIT`` is over; what is left out can be done by asking again."""
    end = time.monotonic() + WAIT
    for thing in things:
        if time.monotonic() >= end:
            return
        yield thing


class TargetForm(forms.Form):
    """All targets, or one."""

    target = forms.ChoiceField(required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["target"]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101  # declared above
        names = [target.name for target in iot_settings().targets]
        field.choices = [("", "All targets"), *((name, name) for name in names)]

    @property
    def targets(self) -> tuple[IoTTarget, ...]:
        """Those that were chosen."""
        target = find_target(self.cleaned_data["target"])
        return (target,) if target else iot_settings().targets
