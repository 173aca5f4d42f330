"""Who has to sign in, and what happens to a form that is sent after the session has ended."""

from typing import Any

from django.contrib.auth.middleware import LoginRequiredMiddleware as DjangosMiddleware
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from estserver.people.sign_in.kept_fields import KeptFields


class LoginRequiredMiddleware(DjangosMiddleware):
    """Middleware that keeps what a form has when its sender is not signed in any more.

    Django redirects to the login page, and what was typed is lost. Here a POST is answered with a
    page that says so and signs in, with the form's fields. The form has been through the CSRF check
    before, so no other site can put text on that page.
    """

    def handle_no_permission(  # type: ignore[override]  # Django's only redirects
        self, request: HttpRequest, view_func: Any
    ) -> HttpResponse:
        """Answer a POST with the page, and everything else with a redirect to the login page."""
        if request.method != "POST":
            return super().handle_no_permission(request, view_func)
        kept = KeptFields.of_form(request.POST, request.FILES)
        context = {
            "title": "Your session has ended",
            "kept": kept,
            "next": request.get_full_path(),
            "login_url": reverse("admin:login"),
        }
        return render(request, "admin/console/session_ended.html", context, status=403)
