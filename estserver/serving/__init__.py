"""Published module paths of gunicorn's settings, which are in `estserver.local_server`."""
