"""Running the server: health, logs, metrics, gauges and scheduled work."""

IS_DRAINING = "est.is_draining"
"""The key of the WSGI environment that is set once the process is about to stop. It still answers,
and wants no further clients."""
