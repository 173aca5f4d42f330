"""The device side. Paths are exact: no slash is added, nothing is redirected (RFC 7030 3.2.1)."""

from django.urls import path, re_path

from estserver.est import views
from estserver.health import healthz, readyz
from pki.models.profile import LABEL_PATTERN

_EST = r"^\.well-known/est/"
_LABEL = LABEL_PATTERN.strip("^$")

handler400 = "estserver.est.errors.bad_request"
handler404 = "estserver.est.errors.not_found"
handler500 = "estserver.est.errors.server_error"

urlpatterns = [
    re_path(rf"{_EST}(?:(?P<label>{_LABEL})/)?{operation}\Z", view.as_view(), name=operation)
    for operation, view in views.OPERATIONS.items()
]
urlpatterns += [
    path("crl/<slug:name>.crl", views.crl, name="crl"),
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
]
