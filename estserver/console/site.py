"""The site of the console: Django's admin, with pages of its own and a navigation by job."""

from collections.abc import Callable, Mapping
from functools import partial, wraps
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.contrib.admin import AdminSite
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import URLPattern, URLResolver, path, reverse
from django.utils.decorators import method_decorator
from django.utils.http import urlencode
from django.utils.translation import gettext, gettext_noop
from django.views.decorators.cache import never_cache

from estserver.console.errors import method_not_allowed
from estserver.console.navigation import navigation
from estserver.console.registry import Page, Section, console, list_link, may
from estserver.people import again
from estserver.people.sign_in.form import SignInForm
from estserver.people.sign_in.kept_fields import KeptFields
from estserver.people.who_may import says_who_may
from pki.operators.rights import NotAllowed
from pki.record.audit_trail import Actor

SEARCH_PAGE = "console_search"
"""The name of the page that answers the search box, which takes ``q`` by POST."""

_CERTIFICATES = list_link(
    Section.CERTIFICATES, "pki.issuedcertificate", gettext_noop("Certificates")
)


class ConsoleSite(AdminSite):
    """The web admin. Its model admins are registered as in any Django project."""

    site_header = "EST server for AWS IoT"
    site_title = "EST server"
    site_url = None  # there is no other site to link to
    index_title = "Overview"
    login_form = SignInForm

    def get_urls(self) -> list[URLPattern | URLResolver]:
        """Return the console's own pages, and then Django's and those of the models."""
        own = [
            path(page.route, self.admin_view(_guarded(self, page)), name=page.name)
            for page in console.pages.values()
        ]
        return [*own, *super().get_urls()]

    def admin_view(self, view: Callable[..., Any], cacheable: bool = False) -> Any:
        """Return a view for people who are signed in, whose refusals are pages.

        A refusal of a person says which roles may, and that of a method what the address is for.
        """
        inner = super().admin_view(says_who_may(view), cacheable)

        @wraps(inner)
        def shown(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            answer: HttpResponseBase = inner(request, *args, **kwargs)
            if answer.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
                return method_not_allowed(request, answer)
            return answer

        return shown

    def ask_again(self, request: HttpRequest, what: str) -> HttpResponse | None:
        """Return the page that asks for the person's password, or None if ``what`` may go on."""
        actor = Actor(f"admin:{request.user}", source_ip=request.META.get("REMOTE_ADDR") or None)
        return again.ask_again(request, what, actor=actor, show=partial(self.render, request))

    def wants_two_persons(self) -> bool:
        """Return whether the configuration has a second person confirm what is done to a CA."""
        return bool(settings.EST_ADMIN_TWO_PERSONS)

    def ask_second_person(self, request: HttpRequest, operation: Any, form: Any) -> str:
        """Put an operation to a second person, and return a sentence that says so."""
        from estserver.console.people.two_persons_page import (
            ask_for,  # it imports this site's registry
        )

        return ask_for(request, operation, form)

    def index(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> TemplateResponse:
        """Return the overview. Django's own start page is the list of an application's models."""
        from estserver.console.overview.page import overview_context  # its models are loaded then

        context = {
            "title": gettext(self.index_title),
            **overview_context(request),
            **(extra_context or {}),
        }
        request.current_app = self.name
        return self.render(request, "admin/index.html", context)

    @method_decorator(never_cache)
    @login_not_required
    def login(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Sign a person in. A form that was sent after the session's end can be sent again then."""
        kept = KeptFields.read(request.POST.get("kept", "[]"))
        more = {"kept": kept, "provider_url": _provider_url(request), **(extra_context or {})}
        answer = super().login(request, more)
        if not kept.fields or answer.status_code != HTTPStatus.FOUND:
            return answer
        context = {"title": gettext("Signed in again"), "kept": kept, "action": answer["Location"]}
        return self.render(request, "admin/console/signed_in_again.html", context)

    def password_change(  # type: ignore[override]  # as login(): more than one kind of answer
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponseBase:
        """Let a person change their own password, which the audit trail says."""
        from estserver.console.people.own_password import (
            OwnPasswordView,  # its models are loaded then
        )

        request.current_app = self.name
        context = {**self.each_context(request), **(extra_context or {})}
        return OwnPasswordView.as_view(extra_context=context)(request)

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        """Add the navigation and the search box to what all pages have."""
        from estserver.people.second_factor import policy
        from estserver.people.sign_in.first_steps import step_before  # as in password_change()

        context = super().each_context(request)
        context["has_first_step"] = context["has_permission"] and step_before(request) is not None
        context["has_second_factor_page"] = policy.is_used()
        if context["has_permission"] and not context["has_first_step"]:
            sections = navigation(request, self)
            titles = [link.title for one in sections for link in one.links if link.is_current]
            context |= {
                "navigation": sections,
                "current_title": titles[0] if titles else "",
                "search": _search(request),
            }
        return context

    def render(
        self, request: HttpRequest, template: str, context: Mapping[str, Any]
    ) -> TemplateResponse:
        """Return a page of the console. ``context`` has its ``title`` at least."""
        return TemplateResponse(request, template, {**self.each_context(request), **context})


def _guarded(site: ConsoleSite, page: Page) -> Any:
    def view(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not may(request, page.permissions):
            raise NotAllowed(lambda other: may(other, page.permissions))
        if request.method not in page.methods:
            return HttpResponseNotAllowed(sorted(page.methods))
        if page.asks_again or (page.asks_again_to_send and request.method == "POST"):
            asked = site.ask_again(request, page.title)
            if asked is not None:
                return asked
        return page.view(request, *args, **kwargs)

    return view


def _provider_url(request: HttpRequest) -> str:
    """Return where people sign in with accounts of another's; "" if nothing is configured."""
    if settings.EST_OIDC is None:
        return ""
    wanted = urlencode({"next": request.GET.get("next", "")})
    return f"{reverse('provider_sign_in')}?{wanted}"


def _search(request: HttpRequest) -> dict[str, str] | None:
    """Return where the search box leads, and how; None for a person who may search nothing."""
    page = console.pages.get(SEARCH_PAGE)
    if page and may(request, page.permissions):
        return {"url": reverse(f"admin:{SEARCH_PAGE}"), "method": "post"}
    if page is None and _CERTIFICATES.is_for(request):
        return {"url": _CERTIFICATES.url(), "method": "get"}
    return None
