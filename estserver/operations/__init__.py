"""Running the server: health, logs, metrics, gauges and scheduled work."""
