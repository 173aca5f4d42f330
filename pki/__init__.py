"""A small certificate authority. It knows neither HTTP nor AWS IoT."""
