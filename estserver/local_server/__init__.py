"""The server for one machine: mutual TLS on gunicorn, and a supervisor of its two servers."""

PLAIN_HTTP = "EST_ADMIN_PLAIN_HTTP"
"""This environment variable is 1 for an admin that browsers on this machine use over plain HTTP."""
