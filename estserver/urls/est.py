"""The URLs of the device side, which are exact: no slash is added (RFC 7030 3.2.1)."""

from django.urls import path, re_path

from estserver.est.lazy_view import lazily
from estserver.est.views import CACertsView, CSRAttrsView, NotOfferedView
from estserver.operations.health import healthz, readyz
from pki.models.profile import LABEL_PATTERN

_EST = r"^\.well-known/est/"
_LABEL = LABEL_PATTERN.strip("^$")

handler400 = "estserver.est.errors.bad_request"
handler404 = "estserver.est.errors.not_found"
handler500 = "estserver.est.errors.server_error"

OPERATIONS = {
    "cacerts": CACertsView.as_view(),
    "simpleenroll": lazily("estserver.est.enrollment_views.SimpleEnrollView"),
    "simplereenroll": lazily("estserver.est.enrollment_views.SimpleReenrollView"),
    "csrattrs": CSRAttrsView.as_view(),
    "serverkeygen": NotOfferedView.as_view(),
    "fullcmc": NotOfferedView.as_view(),
}
"""Each EST operation by its path name (RFC 7030 3.2.2)."""

urlpatterns = [
    re_path(rf"{_EST}(?:(?P<label>{_LABEL})/)?{operation}\Z", view, name=operation)
    for operation, view in OPERATIONS.items()
]
urlpatterns += [
    path("crl/<slug:name>.crl", lazily("estserver.est.crl_view.crl"), name="crl"),
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
]
