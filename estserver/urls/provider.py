"""The URLs of sign-in by an OpenID provider, which exist if the configuration names one."""

from django.urls import path

from estserver.people.oidc.library_settings import CALLBACK
from estserver.people.oidc.provider import provider, refuse_half_a_configuration

refuse_half_a_configuration(provider())

from estserver.people.oidc.views import FromProvider, ToProvider  # noqa: E402  # the library's

urlpatterns = [
    path("admin/provider/", ToProvider.as_view(), name="provider_sign_in"),
    path("admin/provider/back/", FromProvider.as_view(), name=CALLBACK),
]
