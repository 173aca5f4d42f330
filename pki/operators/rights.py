"""The refusal of a page to a person who lacks a right for it."""

from collections.abc import Callable
from typing import Any

from django.core.exceptions import PermissionDenied


class NotAllowed(PermissionDenied):
    """The signed-in person lacks a right. ``is_allowed`` says of a request whether it has it."""

    def __init__(self, is_allowed: Callable[[Any], bool]) -> None:
        super().__init__()
        self.is_allowed = is_allowed
