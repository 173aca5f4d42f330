"""The device side as a WSGI application: Django with the body and header fixes of this side."""

import os

from django.conf import settings
from django.core.wsgi import get_wsgi_application

from estserver.est.chunked import WSGIApplication, accept_chunked_bodies
from estserver.est.media_type import drop_media_type_parameters
from estserver.operations import logs


def make_application() -> WSGIApplication:
    """Return the application. Its settings are ``estserver.settings.est`` by default."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "estserver.settings.est")
    application = accept_chunked_bodies(drop_media_type_parameters(get_wsgi_application()))
    logs.configure(settings.LOGGING)
    return application
