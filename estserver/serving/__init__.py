"""The server for one machine: mutual TLS on gunicorn, and a supervisor for two doors."""
