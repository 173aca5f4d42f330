"""The page of the settings in force: read-only, with the source of each value."""

from itertools import groupby
from operator import attrgetter

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.translation import gettext, gettext_noop

from estserver.config.effective import database_parts, effective_values
from estserver.console.registry import Section, console_page
from estserver.console.rendering import render_page

VIEWS_SETTINGS = "estserver.view_settings"


@console_page(
    section=Section.SETTINGS,
    title=gettext_noop("Settings"),
    name="console_settings",
    route="settings/",
    permission=VIEWS_SETTINGS,
)
def settings_page(request: HttpRequest) -> HttpResponseBase:
    """Show every key of the configuration file, the environment and the database."""
    values = [*effective_values(settings.CONFIG), *database_parts(settings.DATABASES["default"])]
    sections = [(name, list(group)) for name, group in groupby(values, attrgetter("section"))]
    context = {"title": gettext("Settings"), "sections": sections, "source": settings.CONFIG.source}
    return render_page(request, "admin/console/settings.html", context)
