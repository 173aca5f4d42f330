"""The WSGI application of the admin, for people."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "estserver.settings.admin")

application = get_wsgi_application()
