"""Pages of the console as its views return them."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from django.contrib import admin
from django.http import HttpRequest
from django.template.response import TemplateResponse

if TYPE_CHECKING:
    from estserver.console.site import ConsoleSite


def render_page(
    request: HttpRequest, template: str, context: Mapping[str, Any]
) -> TemplateResponse:
    """Return a page with navigation and search box. ``context`` has its ``title`` at least."""
    site = cast("ConsoleSite", admin.site)  # estserver.console.apps makes it the default site
    return site.render(request, template, context)
