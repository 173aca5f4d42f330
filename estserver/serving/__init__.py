"""The paths by which gunicorn command lines name the settings of `estserver.local_server`."""
