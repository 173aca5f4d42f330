"""The server for a laptop or one machine: mutual TLS on gunicorn, and a supervisor for two doors."""
