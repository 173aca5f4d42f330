"""Import a view at the first request for it.

A cold start answers one request, so /cacerts need not wait for the modules that sign certificates.
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
    """Return the view of that dotted path, a function or a class. Raises ``ImportError``."""
    found = import_string(path)
    is_class = isinstance(found, type) and issubclass(found, View)
    view: Answer = found.as_view() if is_class else found
    return view


def lazily(path: str) -> Answer:
    """Return a view that imports the one of that dotted path when it is called."""

    def view(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        return find_view(path)(request, *args, **kwargs)

    return view
