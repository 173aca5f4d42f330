"""The settings of `estserver.local_server.gunicorn_est`, under their published path."""

from estserver.local_server.gunicorn_est import *  # noqa: F403  # gunicorn's settings
