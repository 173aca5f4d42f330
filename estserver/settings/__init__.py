"""Django's settings, one module for each door: ``est`` (devices) and ``admin`` (people)."""
