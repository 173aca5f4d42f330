"""The views of the API. Each is a thin door to the service that a page and a command call too."""
