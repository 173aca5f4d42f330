"""The settings of `local_server.gunicorn_est` under the path that command lines name."""

from estserver.local_server.gunicorn_est import *  # noqa: F403  # gunicorn's settings
