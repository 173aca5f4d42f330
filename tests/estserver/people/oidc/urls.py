"""The URLs of the admin where the configuration names a provider."""

from estserver.urls import admin, provider
from estserver.urls.admin import handler400, handler403, handler404, handler500

__all__ = ["handler400", "handler403", "handler404", "handler500"]

urlpatterns = [*provider.urlpatterns, *admin.urlpatterns]
