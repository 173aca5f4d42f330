"""The settings of `local_server.gunicorn_admin` under the path that command lines name."""

from estserver.local_server.gunicorn_admin import *  # noqa: F403  # gunicorn's settings
