"""The URLs of the admin, for people."""

from django.conf import settings
from django.contrib import admin
from django.contrib.auth.decorators import login_not_required
from django.urls import include, path
from django.views.generic import RedirectView

from estserver.operations.health import healthz, readyz
from estserver.operations.metrics_page import metrics

handler400 = "estserver.api.errors.bad_request"
handler403 = "estserver.console.errors.permission_denied"
handler404 = "estserver.api.errors.not_found"
handler500 = "estserver.api.errors.server_error"

_of_provider = [path("", include("estserver.urls.provider"))] if settings.EST_OIDC else []
urlpatterns = [
    *_of_provider,
    path("admin/", admin.site.urls),
    path("api/v1/", include("estserver.api.urls")),
    path("healthz", login_not_required(healthz), name="healthz"),
    path("readyz", login_not_required(readyz), name="readyz"),
    path("metrics", login_not_required(metrics), name="metrics"),
    path("", RedirectView.as_view(pattern_name="admin:index"), name="home"),
]
