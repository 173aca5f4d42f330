"""Running the server: health, logs, metrics, and the work of the clock."""
