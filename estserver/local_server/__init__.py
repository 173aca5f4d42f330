"""The server for one machine: mutual TLS on gunicorn, and a supervisor for two doors."""

PLAIN_HTTP = "EST_ADMIN_PLAIN_HTTP"
"""Set to 1 in the environment of an admin that a browser on this machine calls by plain HTTP."""
