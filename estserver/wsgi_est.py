"""The device side as a WSGI application, for gunicorn and for Lambda."""

import os

from django.core.wsgi import get_wsgi_application

from estserver.est.chunked import accept_chunked_bodies
from estserver.est.media_type import drop_media_type_parameters

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "estserver.settings.est")

application = accept_chunked_bodies(drop_media_type_parameters(get_wsgi_application()))
