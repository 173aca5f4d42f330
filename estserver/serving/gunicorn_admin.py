"""The settings of `estserver.local_server.gunicorn_admin`, under their published path."""

from estserver.local_server.gunicorn_admin import *  # noqa: F403  # gunicorn's settings
