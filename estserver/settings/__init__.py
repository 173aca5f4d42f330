"""Django's settings, one module for each side: ``est`` (devices) and ``admin`` (people)."""
