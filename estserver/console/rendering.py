"""Pages of the console as its views return them."""

from collections.abc import Mapping
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.template.response import TemplateResponse

from pki.admin.operations import translated_form


def render_page(
    request: HttpRequest, template: str, context: Mapping[str, Any]
) -> TemplateResponse:
    """Return a page with navigation and search box. ``context`` has its ``title`` at least.

    Labels and help texts of its ``form`` are in the person's language then.
    """
    if "form" in context:
        translated_form(context["form"])
    site: Any = admin.site  # estserver.console.site, which imports pages that import this file
    page: TemplateResponse = site.render(request, template, context)
    return page
