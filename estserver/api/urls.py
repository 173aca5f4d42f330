"""The URLs of the management API. Each view is imported by the first request for it."""

from typing import Any

from django.urls import path, re_path

from estserver.api.routes import ROOM, ROUTES
from estserver.est.lazy_view import lazily

app_name = "api"


def _door(view: str) -> Any:
    """Return the view, exempt from what guards browsers: a token counts here, and no cookie."""
    door: Any = lazily(f"{ROOM}.{view}")
    door.csrf_exempt = True
    door.login_required = False
    return door


urlpatterns = [path(route, _door(view), name=name) for route, view, name in ROUTES]
urlpatterns += [
    re_path(r"^(?P<rest>(?s:.*))\Z", _door("root.NoSuchAddress"), name="no_such_address")
]
