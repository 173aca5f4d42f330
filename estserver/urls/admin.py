"""The URLs of the admin, for people."""

from django.contrib import admin
from django.contrib.auth.decorators import login_not_required
from django.urls import path
from django.views.generic import RedirectView

from estserver.operations.health import healthz, readyz

urlpatterns = [
    path("admin/", admin.site.urls),
    path("healthz", login_not_required(healthz), name="healthz"),
    path("readyz", login_not_required(readyz), name="readyz"),
    path("", RedirectView.as_view(pattern_name="admin:index"), name="home"),
]
