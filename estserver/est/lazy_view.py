"""Views that are imported by the first request for them.

A cold start answers one request: /cacerts needn't wait for what signs certificates.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

from django.http import HttpRequest, HttpResponseBase
from django.utils.module_loading import import_string
from django.views.generic import View

Answer = Callable[..., HttpResponseBase]


@cache
def find_view(path: str) -> Answer:
    """The view of that dotted path, a function or a class. Raises ``ImportError``."""
    found = import_string(path)
    is_class = isinstance(found, type) and issubclass(found, View)
    view: Answer = found.as_view() if is_class else found
    return view


def lazily(path: str) -> Answer:
    """A view that stands for the one of that dotted path."""

    def view(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        return find_view(path)(request, *args, **kwargs)

    return view
